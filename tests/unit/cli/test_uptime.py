"""`ssi uptime`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ssi.cli import uptime as command
from tests.unit.cli.fake_system import CommandLine


@pytest.fixture
def uptime(command_line: Callable[[Callable[..., None]], CommandLine]) -> CommandLine:
    return command_line(command.uptime)


def test_each_node_and_the_sum_are_shown(uptime: CommandLine) -> None:
    status, out, err = uptime.run()
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["NODE", "n1", "n2", "n3", "all"]
    assert out.splitlines()[-1].split()[-3:] == ["12", "180", "6"]


def test_dead_node_is_not_counted_and_named(uptime: CommandLine) -> None:
    uptime.system.kill("n2")
    status, out, err = uptime.run("--json")
    assert status == 4
    assert [o["node"] for o in json.loads(out)] == ["n1", "n3", "all"]
    assert (
        err == "ssi: n2: does not answer (silent for 12 s); its load is not counted [node-down]\n"
    )
