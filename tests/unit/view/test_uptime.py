"""How long each node is up, and all together."""

from __future__ import annotations

import msgspec

from ssi.view.listing import Way, render
from ssi.view.uptime import uptime_listing, uptime_sum, uptimes_of
from tests.unit.view.samples import METRICS, node

YOUNG = msgspec.structs.replace(METRICS, uptime_s=240.0)
TWO = uptimes_of([node(), node(name="n2", metrics=YOUNG), node(name="n3", metrics=None)])


def test_each_node_that_told_has_a_line_and_the_sum_is_last() -> None:
    lines = [" ".join(line.split()) for line in render(uptime_listing(TWO), Way()).splitlines()]
    assert lines == [
        "NODE UP LOAD1 LOAD5 LOAD15 CORES PROCESSES JOBS",
        "n1 1 day, 3:04 1.50 0.75 0.25 4 60 2",
        "n2 4 min 1.50 0.75 0.25 4 60 2",
        "all 1 day, 3:04 3.00 1.50 0.50 8 120 4",
    ]


def test_sum_of_nothing_is_nothing() -> None:
    assert uptime_sum([]).cores == 0


def test_objects_end_with_the_sum() -> None:
    last = uptime_listing(TWO).objects("")[-1]
    assert (last["node"], last["up_s"], last["cores"]) == ("all", 97_440.0, 8)
