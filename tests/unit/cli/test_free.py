"""`ssi free`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest

from ssi.cli import free as command
from tests.unit.cli.fake_system import CommandLine
from tests.unit.view.samples import node


@pytest.fixture
def free(command_line: Callable[[Callable[..., None]], CommandLine]) -> CommandLine:
    return command_line(command.free)


def test_sum_is_over_all_nodes(free: CommandLine) -> None:
    status, out, err = free.run()
    assert (status, err) == (0, "")
    assert out.splitlines()[-1].split()[:2] == ["all", "24G"]


def test_dead_node_is_not_counted_and_named(free: CommandLine) -> None:
    free.system.kill("n2")
    status, out, err = free.run()
    assert status == 4
    assert [line.split()[0] for line in out.splitlines()] == ["NODE", "n1", "n3", "all"]
    assert out.splitlines()[-1].split()[1] == "16G"
    assert (
        err == "ssi: n2: does not answer (silent for 12 s); its memory is not counted [node-down]\n"
    )


def test_node_that_never_answered_says_so(free: CommandLine) -> None:
    free.system.kill("n2", age_s=math.inf)
    assert free.run()[2] == "ssi: n2: has never answered; its memory is not counted [node-down]\n"


def test_node_that_told_nothing_yet_is_not_counted(free: CommandLine) -> None:
    free.system.nodes[1] = node(name="n2", metrics=None, age_s=0.1)
    assert free.run()[0] == 4


def test_bytes_are_exact_and_json_is_too(free: CommandLine) -> None:
    assert free.run("-b", "-n", "n1")[1].splitlines()[-1].split()[1] == str(8 << 30)
    assert json.loads(free.run("--json")[1])[-1]["total_bytes"] == 24 << 30
