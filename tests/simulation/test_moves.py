"""Made-up moves: whatever dies or is cut at whatever step, one copy runs, nothing else is left."""

from __future__ import annotations

import pytest

from tests.simulation.movestory import MoveStory

PARTS = 10

SHARE = 4
"""A move is a longer story than the mesh's: of so many seeds for that, one is for this."""


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
