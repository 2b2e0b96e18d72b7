"""Which nodes get the tasks of a job that asks for several."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssi.model.node import NodeRow
from ssi.policy.allocation import Demand, allocate
from tests.unit.view.samples import GPU, METRICS, node


def nodes(*cores: int) -> list[NodeRow]:
    return [
        node(name=f"n{index}", metrics=msgspec.structs.replace(METRICS, cores=each, gpus=()))
        for index, each in enumerate(cores, 1)
    ]


@pytest.mark.parametrize(
    ("cores", "demand", "told"),
    [
        ((4, 4), Demand(), {"n1": 1}),
        ((4, 4), Demand(tasks=6), {"n1": 4, "n2": 2}),
        ((4, 4), Demand(tasks=6, nodes=2), {"n1": 3, "n2": 3}),
        ((1, 8), Demand(tasks=5, nodes=2), {"n1": 1, "n2": 4}),
        ((4, 4, 4), Demand(nodes=3), {"n1": 1, "n2": 1, "n3": 1}),
        ((1, 4), Demand(cores=2), {"n2": 1}),
    ],
)
def test_tasks_are_packed_or_spread_over_as_many_nodes_as_asked(
    cores: tuple[int, ...], demand: Demand, told: dict[str, int]
) -> None:
    found = allocate(nodes(*cores), demand)
    assert {share.node: share.tasks for share in found.shares} == told
    firsts = [share.first for share in found.shares]
    assert firsts == [sum(list(told.values())[:index]) for index in range(len(told))]


@pytest.mark.parametrize(
    ("demand", "said"),
    [
        (Demand(tasks=9), "9 tasks of 1 cores.*n1: room for 4; n2: room for 4"),
        (Demand(cores=5), "n1: it has 4 cores"),
        (Demand(nodes=3), "3 nodes are asked for"),
        (Demand(nodes=2, tasks=1), "1 tasks cannot be on 2 nodes"),
        (Demand(gpus=1), "n2: it has 0 GPUs"),
        (Demand(memory_bytes=1 << 50), "MiB available"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_each_node_lacks(demand: Demand, said: str) -> None:
    import re

    found = allocate(nodes(4, 4), demand)
    assert found.shares == ()
    assert re.search(said, found.refusal)


def test_a_node_with_a_gpu_is_found() -> None:
    [plain] = nodes(4)
    gifted = node(name="g1", metrics=msgspec.structs.replace(METRICS, gpus=(GPU,)))
    silent = node(name="s1", metrics=None)
    found = allocate([silent, plain, gifted], Demand(gpus=1))
    assert [share.node for share in found.shares] == ["g1"]
    assert allocate([], Demand()).refusal.endswith("(no node is left)")


@given(
    cores=st.lists(st.integers(0, 9), max_size=6),
    tasks=st.none() | st.integers(1, 30),
    count=st.none() | st.integers(1, 7),
    each=st.integers(1, 4),
)
def test_every_task_has_a_place_with_its_cores_or_there_is_a_refusal(
    cores: list[int], tasks: int | None, count: int | None, each: int
) -> None:
    found = allocate(nodes(*cores), Demand(tasks=tasks, nodes=count, cores=each))
    assert bool(found.shares) != bool(found.refusal)
    if found.shares:
        assert sum(share.tasks for share in found.shares) == (tasks or count or 1)
        assert all(share.tasks * each <= cores[int(share.node[1:]) - 1] for share in found.shares)
        assert all(share.tasks for share in found.shares)
        assert count in {None, len(found.shares)}
