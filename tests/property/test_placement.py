"""What holds of placement whatever the nodes report."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ssi.model.node import NodeMetrics, NodeRow, NodeState
from ssi.policy.placement import suggest

METRICS = st.builds(
    NodeMetrics,
    taken_at_s=st.just(0.0),
    uptime_s=st.just(0.0),
    cores=st.integers(min_value=0, max_value=256),
    load=st.tuples(*[st.floats(min_value=0, max_value=1e6)] * 3),
    memory_total_bytes=st.integers(min_value=0, max_value=2**50),
    memory_available_bytes=st.integers(min_value=0, max_value=2**50),
    swap_total_bytes=st.just(0),
    swap_free_bytes=st.just(0),
    disk_total_bytes=st.just(0),
    disk_free_bytes=st.just(0),
    jobs=st.integers(min_value=0, max_value=10_000),
)
ROWS = st.lists(
    st.builds(
        NodeRow,
        name=st.from_regex(r"n[0-9]{1,3}", fullmatch=True),
        number=st.integers(min_value=1),
        address=st.just(""),
        state=st.sampled_from(NodeState),
        age_s=st.just(0.0),
        metrics=st.none() | METRICS,
    ),
    unique_by=lambda row: row.name,
    max_size=12,
)


@given(ROWS, st.integers())
def test_only_living_nodes_are_suggested_and_each_once(rows: list[NodeRow], seed: int) -> None:
    names = [suggestion.node for suggestion in suggest(rows, Random(seed))]
    fit = {row.name for row in rows if row.state is NodeState.ALIVE and row.metrics is not None}
    assert len(names) == len(fit)
    assert set(names) == fit


@given(ROWS, st.integers())
def test_one_seed_gives_one_order(rows: list[NodeRow], seed: int) -> None:
    assert suggest(rows, Random(seed)) == suggest(rows, Random(seed))


@given(ROWS, st.integers())
def test_better_scores_come_first(rows: list[NodeRow], seed: int) -> None:
    scores = [round(suggestion.score, 1) for suggestion in suggest(rows, Random(seed))]
    assert scores == sorted(scores)
