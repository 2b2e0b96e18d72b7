"""Made-up moves: whatever dies or is cut at whatever step, one copy runs, nothing else is left."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.migration.hold import Point
from tests.simulation.cluster import Cluster
from tests.simulation.movestory import MoveStory
from tests.simulation.standins import in_place_of_the_world
from tests.simulation.virtualtime import VirtualLoop

PARTS = 10

SHARE = 4
"""A move is a longer story than the mesh's: of so many seeds for that, one is for this."""


@pytest.fixture(autouse=True)
def all_that_was_there_is_no_garbage() -> Iterator[None]:
    """Each story ends with a search for tasks that nobody has hold of: that looks at it alone."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_exactly_one_copy_runs_after_any_faults(part: int, request: pytest.FixtureRequest) -> None:
    replayed = request.config.getoption("--seed")
    if replayed is not None:
        if part == 0:
            MoveStory(replayed).run()
        return
    for seed in range(part, request.config.getoption("--seeds") // SHARE, PARTS):
        MoveStory(seed).run()


def test_a_seed_of_moves_replays_exactly() -> None:
    first, second = MoveStory(7).run(), MoveStory(7).run()
    assert first.ledger.told == second.ledger.told
    assert first.ledger.told


def test_a_job_given_to_a_node_that_never_comes_back_runs_again_once_that_is_dismissed(
    tmp_path: Path,
) -> None:
    async def happen(cluster: Cluster) -> None:
        await cluster.begin("n1")
        cluster.points[Point.SOURCE_RESUME] = lambda _: cluster.kill_node("n2")
        assert await cluster.migrate("n2") == "migration-in-doubt"
        await asyncio.sleep(100.0)
        assert not cluster.ledger.running(), "nobody guesses"
        cluster.wire.dismissed.add("n2")
        await asyncio.sleep(5.0)
        assert [shim.node for shim in cluster.ledger.running()] == ["n1"]

    async def run() -> None:
        cluster = Cluster(1, ["n1", "n2"], tmp_path)
        with in_place_of_the_world(cluster):
            await cluster.run(happen(cluster))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())
