"""The simulation is worth something only if it finds bugs: each of these is planted and caught."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from ssi.mesh.beliefs import Beliefs
from ssi.mesh.event import Now
from ssi.mesh.gossip import GossipQueue, _Spreading
from ssi.mesh.member import Member, standing
from ssi.mesh.membership import Membership
from ssi.mesh.suspicion import Suspicion
from ssi.protocol.pulse import Rumour
from tests.simulation.story import Story
from tests.simulation.world import Broken

SEEDS_UNTIL_CAUGHT = 100

Patch = pytest.MonkeyPatch


def no_refutation(patch: Patch) -> None:
    patch.setattr(Beliefs, "_defend", lambda self, rumour, now: None)


def suspicion_never_expires(patch: Patch) -> None:
    patch.setattr(Suspicion, "ends_s", property(lambda self: float("inf")))


def gossip_is_unbounded(patch: Patch) -> None:
    numbers = count()

    def put(self: GossipQueue, rumour: Rumour) -> None:
        self._spreading[f"{rumour.name} {next(numbers)}"] = _Spreading(rumour, next(numbers))

    def take(
        self: GossipQueue, limit: int, repeats: int, first: Rumour | None = None
    ) -> tuple[Rumour, ...]:
        return tuple(each.rumour for each in list(self._spreading.values())[:limit])

    patch.setattr(GossipQueue, "put", put)
    patch.setattr(GossipQueue, "take", take)


def incarnation_is_used_again(patch: Patch) -> None:
    def defend(self: Beliefs, rumour: Rumour, now: Now) -> None:
        if standing(rumour.incarnation, rumour.state) > self.me.standing:
            self.me.incarnation = rumour.incarnation
            self._tell(self.me.rumour)

    patch.setattr(Beliefs, "_defend", defend)


def older_incarnations_are_believed(patch: Patch) -> None:
    patch.setattr(Member, "standing", property(lambda self: (0, 0)))


def nobody_reaches_out_to_the_dead(patch: Patch) -> None:
    def rest(self: Membership, now: Now) -> list[object]:
        self._reach_out_at_s = now.elapsed_s + 1.0
        return []

    patch.setattr(Membership, "_reach_out", rest)


@pytest.mark.parametrize(
    "plant",
    [
        no_refutation,
        suspicion_never_expires,
        gossip_is_unbounded,
        incarnation_is_used_again,
        older_incarnations_are_believed,
        nobody_reaches_out_to_the_dead,
    ],
)
def test_planted_bug_is_caught(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    with pytest.raises(Broken, match="replay: pytest tests/simulation --seed"):
        for seed in range(SEEDS_UNTIL_CAUGHT):
            Story(seed).run()
