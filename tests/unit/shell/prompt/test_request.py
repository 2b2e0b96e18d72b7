from __future__ import annotations

import pytest

from shell.prompt.request import Request, request
from shell.prompt.scan import scan
from shell.prompt.verbs import verbs


def asked(text: str) -> Request:
    return request(scan(text), verbs(), {"ps", "migrate", "run", "cp"}.__contains__)


@pytest.mark.parametrize(
    ("text", "kind", "typed", "node"),
    [
        ("gi", "programs", "gi", ""),
        ("@n2 gi", "programs", "gi", "n2"),
        ("@'mem>8G' gi", "programs", "gi", ""),
        ("@n", "nodes", "n", ""),
        ("@{n1,n", "nodes", "n1,n", ""),
        ("./co", "paths", "./co", ""),
        ("git st", "words", "st", ""),
        ("@n2 git st", "words", "st", "n2"),
        ("@n2 cat <a", "paths", "a", "n2"),
        ("echo $HO", "variables", "HO", ""),
        ("fg %", "jobs", "%", ""),
        ("ls # a", "nothing", "", ""),
        ("command gi", "programs", "gi", ""),
        ("run -n n1 -- ma", "programs", "ma", ""),
    ],
)
def test_who_is_asked(text: str, kind: str, typed: str, node: str) -> None:
    answer = asked(text)
    assert (answer.kind, answer.typed, answer.node) == (kind, typed, node)


@pytest.mark.parametrize(
    ("text", "source", "typed"),
    [
        ("migrate 15", "movable", "15"),
        ("migrate --to n", "nodes", "n"),
        ("ssi ps -n n", "nodes", "n"),
        ("ssi kill -9 1", "gpids", "1"),
        ("ssi cp n1:/va", "places", "n1:/va"),
        ("cat >n1:/va", "places", "n1:/va"),
        ("ssi lab kill n", "nodes", "n"),
    ],
)
def test_what_the_system_is_asked(text: str, source: str, typed: str) -> None:
    answer = asked(text)
    assert (answer.kind, answer.source, answer.typed) == ("system", source, typed)


def test_options_of_a_verb_are_offered_with_what_they_do() -> None:
    assert asked("ps --").offers["--tree"].startswith("Draw who started whom")
    assert asked("ssi ps --color=a").prefix == "--color="
    assert set(asked("ssi ps --color ").offers) == {"auto", "always", "never"}
    assert "--tree" not in asked("git --").offers


def test_verbs_are_offered_behind_ssi() -> None:
    assert {"ps", "migrate"} <= set(asked("ssi ").offers)
    assert {"up", "down"} <= set(asked("ssi lab ").offers)


def test_the_command_of_run_is_completed_as_that_command() -> None:
    answer = asked("ssi run -n n1 -- git sta")
    assert (answer.kind, answer.line) == ("words", ("git", "sta"))
    assert asked("run -n n1 git sta").line == ("git", "sta")


def test_a_path_of_a_verb_may_be_of_here_or_of_a_node() -> None:
    assert asked("cp a").files_too
    assert not asked("cp n1:a").files_too
