"""Comparison of views: what gossip missed is found by digests, and only what differs is told.

A question is a digest of the whole view. In a small mesh the answer to one that differs is the view
itself, and so is the answer to that. In a large one digests of parts go first, and then the rumours
of those parts alone: one missed rumour does not bring a thousand others over the wire.

Source: Demers et al., Epidemic algorithms for replicated database maintenance, section 1.3.
"""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import NamedTuple

from ssi.mesh.beliefs import Beliefs
from ssi.mesh.chance import Chance
from ssi.mesh.settings import FIRST_SYNC_S, MAX_PARTS, Settings
from ssi.protocol.pulse import Rumour, Sync


class Comparison(NamedTuple):
    """What a :class:`Sync` says; the fields are its."""

    digest: int
    parts: tuple[int, ...]
    rumours: tuple[Rumour, ...] = ()
    answer: bool = True


class Comparing:
    """When the next member is asked."""

    def __init__(self) -> None:
        self.due_s = float("inf")
        self._asked_at_s = float("-inf")

    def begin(self, now_s: float) -> None:
        """There is a first roster: a member that was away has much to hear."""
        self.due_s = now_s + FIRST_SYNC_S

    def is_time(self, beliefs: Beliefs, settings: Settings, random: Chance, now_s: float) -> bool:
        """Whether to ask somebody now that it is due; sets when it is due next."""
        pace_s = settings.sync_pace_s(beliefs.size)
        # In a large mesh views differ because a rumour is on its way, which will arrive. So it
        # waits; not for ever, where there is always a rumour.
        waits = not settings.probes_all(beliefs.size) and len(beliefs.gossip) > 0
        if waits and now_s < self._asked_at_s + 2 * pace_s:
            self.due_s = now_s + settings.sync_interval_s
            return False
        self._asked_at_s = now_s
        self.due_s = now_s + pace_s * random.uniform(0.75, 1.25)
        return True


def question(beliefs: Beliefs, settings: Settings) -> Comparison:
    """Whether another's view is the same; the whole as one part tells that we know of parts."""
    digest = beliefs.digest()
    return Comparison(digest, (digest,) if settings.parts(beliefs.size) > 1 else ())


def answer_to(sync: Sync, beliefs: Beliefs, settings: Settings) -> Comparison | None:
    """What a member whose view may differ is to be told; None: nothing.

    Whatever it believes was heard before. An observer is told, and tells nothing.
    """
    if not sync.answer or len(sync.parts) > MAX_PARTS:
        return None
    is_last = bool(sync.rumours)
    parts = settings.parts(beliefs.size)
    is_finer = len(sync.parts) == 1 < parts and not is_last
    mine = beliefs.digests(parts if is_finer else max(len(sync.parts), 1))
    digest = reduce(xor, mine)
    if digest == sync.digest:
        return None
    if beliefs.is_observer:
        return None if is_last or len(sync.parts) < 2 else Comparison(digest, mine)
    if not sync.parts:
        return Comparison(digest, (), beliefs.all_rumours(), answer=not is_last)
    if is_finer:
        return Comparison(digest, mine)
    differing = {part for part, each in enumerate(mine) if each != sync.parts[part]}
    rumours = beliefs.rumours_of(differing, len(mine))
    return Comparison(digest, () if is_last else mine, rumours, answer=not is_last)
