"""Memory of each node and of all."""

from __future__ import annotations

from ssi.view.listing import Way, render
from ssi.view.memory import memory_listing, memory_of
from tests.unit.view.samples import node

TWO = memory_of([node(), node(name="n2"), node(name="n3", metrics=None)])


def test_each_node_that_told_has_a_line_and_the_sum_is_last() -> None:
    lines = [" ".join(line.split()) for line in render(memory_listing(TWO), Way()).splitlines()]
    assert lines == [
        "NODE TOTAL USED AVAILABLE SWAP SWAP-USED SWAP-FREE",
        "n1 8.0G 2.0G 6.0G 2.0G 1.0G 1.0G",
        "n2 8.0G 2.0G 6.0G 2.0G 1.0G 1.0G",
        "all 16G 4.0G 12G 4.0G 2.0G 2.0G",
    ]


def test_exact_sizes_are_bytes() -> None:
    total = render(memory_listing(TWO, exact=True), Way(headers=False)).splitlines()[-1].split()
    assert total[:3] == ["all", str(16 << 30), str(4 << 30)]


def test_objects_end_with_the_sum() -> None:
    shown = memory_listing(TWO).objects("")
    assert [o["node"] for o in shown] == ["n1", "n2", "all"]
    assert shown[-1] == {
        "node": "all",
        "total_bytes": 16 << 30,
        "used_bytes": 4 << 30,
        "available_bytes": 12 << 30,
        "swap_total_bytes": 4 << 30,
        "swap_free_bytes": 2 << 30,
    }
