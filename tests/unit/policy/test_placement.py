"""Where a job is to run."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from ssi.model.node import NodeMetrics, NodeRow, NodeState
from ssi.policy.placement import Wish, place, suggest


def node(name: str, *, load: float = 0.0, jobs: int = 0, cores: int = 2, free: float = 0.5,
         state: NodeState = NodeState.ALIVE) -> NodeRow:  # fmt: skip
    metrics = NodeMetrics(
        taken_at_s=0.0, uptime_s=1.0, cores=cores, load=(load, load, load),
        memory_total_bytes=1000, memory_available_bytes=int(1000 * free),
        swap_total_bytes=0, swap_free_bytes=0, disk_total_bytes=1, disk_free_bytes=1, jobs=jobs,
    )  # fmt: skip
    return NodeRow(
        name=name, number=int(name[1:]), address="", state=state, age_s=0.0, metrics=metrics
    )


def names(rows: list[NodeRow], seed: int = 1) -> list[str]:
    return [suggestion.node for suggestion in suggest(rows, Random(seed))]


def test_least_loaded_node_per_core_comes_first() -> None:
    rows = [node("n1", load=2.0), node("n2", load=3.0, cores=16), node("n3", load=0.9)]
    assert names(rows) == ["n2", "n3", "n1"]


def test_jobs_count_before_the_load_average_knows_of_them() -> None:
    assert names([node("n1", jobs=2), node("n2", load=1.0)]) == ["n2", "n1"]


@pytest.mark.parametrize("state", [NodeState.SUSPECT, NodeState.DEAD, NodeState.LEFT])
def test_node_that_is_not_alive_is_never_suggested(state: NodeState) -> None:
    assert names([node("n1", state=state), node("n2", load=50.0)]) == ["n2"]
    assert names([node("n1", state=state)]) == []


def test_node_without_metrics_is_not_suggested() -> None:
    assert names([msgspec.structs.replace(node("n1"), metrics=None)]) == []


def test_node_short_of_memory_is_the_last_resort_and_says_so() -> None:
    rows = [node("n1", free=0.02), node("n2", load=90.0)]
    assert names(rows) == ["n2", "n1"]
    last = suggest(rows, Random(1))[-1]
    assert last.reasons == ("load 0.00, 0 jobs on 2 cores", "only 2% of its memory is available")


def test_equal_nodes_are_spread_over_askers() -> None:
    rows = [node("n1"), node("n2"), node("n3")]
    assert {names(rows, seed)[0] for seed in range(40)} == {"n1", "n2", "n3"}


def test_one_seed_gives_one_answer() -> None:
    rows = [node(f"n{number}") for number in range(1, 9)]
    assert names(rows, 5) == names(rows, 5)
    assert names(rows, 5) != names(rows, 6)


def test_node_that_reports_no_cores_and_no_memory_breaks_nothing() -> None:
    odd = node("n1", cores=0)
    assert odd.metrics is not None
    empty = msgspec.structs.replace(odd.metrics, memory_total_bytes=0, memory_available_bytes=0)
    assert names([msgspec.structs.replace(odd, metrics=empty)]) == ["n1"]


def reasons(rows: list[NodeRow], wish: Wish) -> dict[str, str]:
    return {each.node: each.reason for each in place(rows, wish, Random(1)).rejections}


def changed(row: NodeRow, **changes: object) -> NodeRow:
    assert row.metrics is not None
    return msgspec.structs.replace(row, metrics=msgspec.structs.replace(row.metrics, **changes))


def test_cordoned_node_is_passed_over_and_says_so() -> None:
    rows = [changed(node("n1"), cordoned=True), node("n2", load=50.0)]
    assert names(rows) == ["n2"]
    assert reasons(rows, Wish()) == {"n1": "it is cordoned"}


def test_job_that_moves_goes_to_none_that_cannot_take_it() -> None:
    rows = [
        changed(node("n1"), criu="4.2"),
        changed(node("n2"), criu="4.1"),
        changed(node("n3"), criu="4.2", lacks=("migrate: no criu",)),
        changed(node("n4"), criu="4.2", arch="aarch64"),
        changed(node("n5"), criu="4.2", memory_available_bytes=10),
        changed(node("n6"), criu="4.2"),
    ]
    placement = place(rows, Wish(source="n1", memory_bytes=11), Random(1))
    assert [suggestion.node for suggestion in placement.suggestions] == ["n6"]
    told = {each.node: each.reason for each in placement.rejections}
    assert told["n1"] == "it is there already"
    assert told["n2"] == "criu is 4.1 there and 4.2 on n1"
    assert told["n3"] == "no criu"
    assert "aarch64" in told["n4"]
    assert "memory" in told["n5"]


def test_jobs_on_their_way_count_as_if_they_were_there() -> None:
    rows = [node("n1"), node("n2"), node("n3", load=0.8)]
    wish = Wish(coming={"n1": 1, "n2": 2})
    order = [suggestion.node for suggestion in place(rows, wish, Random(1)).suggestions]
    assert order == ["n3", "n1", "n2"]
