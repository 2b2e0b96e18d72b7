"""`ssi run`: what its words ask for, before anybody is asked."""

from __future__ import annotations

import pytest

from ssi.cli.fleet import Notices
from ssi.cli.main import carry_out, tree
from ssi.cli.outcome import ended
from ssi.cli.run import is_set


@pytest.mark.parametrize(
    ("nodes", "several"),
    [
        (None, False),
        ("n1", False),
        ("gpu-1.example.org", False),
        ("all", True),
        ("n1,n2", True),
        ("n1..3", True),
        ("n[1-1]", True),
        ("@gpu", True),
        ("n*", True),
        ("all!n2", True),
    ],
)
def test_whether_lines_have_their_node_does_not_depend_on_how_many_there_are(
    nodes: str | None, several: bool
) -> None:
    assert is_set(nodes) is several


@pytest.mark.parametrize(
    "words",
    [
        ("-n", "all", "-t", "--", "true"),
        ("--stdin", "n1", "--stdin-all", "--", "cat"),
        ("-t", "-T", "--", "true"),
        ("--root", "local", "--bind", "/srv", "--", "true"),
        ("-o", "table,x", "--", "true"),
        ("--fanout", "0", "--", "true"),
    ],
)
def test_opposites_are_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(lambda: carry_out(tree(), ("run", *words))) == 2
    assert capsys.readouterr().err.endswith("[usage]\n")


def test_what_is_to_be_known_of_many_nodes_is_said_once() -> None:
    notices = Notices()
    for node in ("n1", "n2", "n3"):
        notices.add(node, f"the job sees /etc as {node} has it")
    notices.add("n2", "nothing of n2 is seen")
    assert notices.lines() == [
        "the job sees /etc as n[1-3] has it",
        "nothing of n2 is seen",
    ]
