"""`ssi nodes`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ssi.cli import nodes as command
from tests.unit.cli.fake_system import CommandLine


@pytest.fixture
def nodes(command_line: Callable[[Callable[..., None]], CommandLine]) -> CommandLine:
    return command_line(command.nodes)


def test_every_node_has_a_line_also_one_that_is_dead(nodes: CommandLine) -> None:
    nodes.system.kill("n3", age_s=12.0)
    status, out, err = nodes.run()
    assert (status, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["NAME", "STATE"],
        ["n1", "alive"],
        ["n2", "alive"],
        ["n3", "dead"],
    ]
    assert out.splitlines()[3].endswith(" 12s")


def test_nodes_are_chosen_by_a_node_set(nodes: CommandLine) -> None:
    assert [line.split()[0] for line in nodes.run("n2..3")[1].splitlines()] == ["NAME", "n2", "n3"]
    assert nodes.run("n7")[0] == 2


def test_json_has_an_object_for_each_node(nodes: CommandLine) -> None:
    shown = json.loads(nodes.run("--json")[1])
    assert [(o["name"], o["state"], o["metrics"]["cores"]) for o in shown] == [
        ("n1", "alive", 4),
        ("n2", "alive", 4),
        ("n3", "alive", 4),
    ]


def test_headers_may_be_left_out(nodes: CommandLine) -> None:
    assert nodes.run("--no-headers")[1].startswith("n1 ")
