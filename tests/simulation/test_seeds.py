"""Made-up runs of the mesh: whatever goes wrong, all agree on what is so once it is mended."""

from __future__ import annotations

import pytest

from ssi.mesh.settings import WAN
from tests.simulation.story import Story

PARTS = 20


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_all_members_agree_on_what_is_so_after_any_faults(
    part: int, request: pytest.FixtureRequest
) -> None:
    replayed = request.config.getoption("--seed")
    if replayed is not None:
        if part == 0:
            Story(replayed).run()
        return
    for seed in range(part, request.config.getoption("--seeds"), PARTS):
        Story(seed).run()


@pytest.mark.timeout(600)
def test_members_of_distant_sites_agree_too(request: pytest.FixtureRequest) -> None:
    for seed in range(request.config.getoption("--seeds") // 10):
        Story(seed, WAN).run()


def test_a_seed_replays_exactly() -> None:
    first, second = Story(7).run(), Story(7).run()
    assert first.sightings == second.sightings
    assert first.now_s == second.now_s
    assert first.sightings
