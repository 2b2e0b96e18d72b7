"""Nodes, memory and uptime as people see them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest

from ssi.model.node import NodeRow, NodeState
from ssi.view.listing import Way, render
from ssi.view.nodes import node_listing
from tests.unit.view.samples import GPU, METRICS, node


def render_nodes(rows: Sequence[NodeRow]) -> str:
    return render(node_listing(rows), Way())


def lines(table: str) -> list[str]:
    return [" ".join(line.split()) for line in table.splitlines()]


def test_node_shows_what_it_has_and_how_old_that_is() -> None:
    assert lines(render_nodes([node(clock_error_ms=0.21, incarnation=7)])) == [
        "NAME STATE ADDRESS CORES LOAD MEM SWAP DISK GPU JOBS VERSION RTT CLOCK INCARNATION AGE",
        "n1 alive 10.99.0.11 4 1.50 2.0G/8.0G 1.0G/2.0G 60G/100G - 2 0.1.0 0.42ms"
        " -1.5ms±0.21ms 7 0.3s",
    ]


def test_node_that_is_dead_says_so_with_its_age_and_its_problem() -> None:
    dead = node(
        name="n3",
        state=NodeState.DEAD,
        age_s=math.inf,
        rtt_ms=None,
        clock_offset_ms=None,
        metrics=None,
        version="",
        problem="connection\x1b[0m refused",
    )
    header, _, line = lines(render_nodes([node(), dead]))
    assert header.endswith(" PROBLEM")
    assert line == ("n3 dead 10.99.0.11 - - - - - - - - - - - never connection\\x1b[0m refused")


def test_suspect_shows_how_many_missed_it_and_how_long_it_has() -> None:
    suspect = node(name="n3", state=NodeState.SUSPECT, suspicion_s=1.9, accusers=2)
    header, well, missed = lines(render_nodes([node(), suspect]))
    assert header.endswith(" AGE SUSPICION")
    assert well.endswith(" 0.3s")
    assert missed.endswith(" 0.3s by 2, dead in 1.9s")


@pytest.mark.parametrize(
    ("gpus", "text"),
    [
        ((GPU,), "NVIDIA A100 30%"),
        ((GPU, msgspec.structs.replace(GPU, utilisation_percent=70.0)), "2xNVIDIA A100 50%"),
        ((GPU, msgspec.structs.replace(GPU, name="T4")), "NVIDIA A100+T4 30%"),
    ],
)
def test_gpus_are_counted_by_kind_with_their_mean_use(gpus: object, text: str) -> None:
    table = render_nodes([node(metrics=msgspec.structs.replace(METRICS, gpus=gpus))])
    assert f" {text} " in table
