"""The rumours that are still to be passed on: the newest of each member, least told first.

Source: SWIM, section 4.1 (infection-style dissemination).
"""

from __future__ import annotations

from dataclasses import dataclass

from ssi.protocol.pulse import Rumour


@dataclass(slots=True)
class _Spreading:
    rumour: Rumour
    order: int
    told: int = 0


class GossipQueue:
    """Bounded: one rumour per member, and no more than ``limit`` in all.

    Args:
        limit: Beyond it the rumour that was told most often is dropped.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spreading: dict[str, _Spreading] = {}
        self._order = 0

    def __len__(self) -> int:
        return len(self._spreading)

    def put(self, rumour: Rumour) -> None:
        """Spreads a rumour, in place of an older one of the same member."""
        self._order += 1
        self._spreading[rumour.name] = _Spreading(rumour, self._order)
        if len(self._spreading) > self._limit:
            most_told = max(self._spreading.values(), key=lambda s: (s.told, -s.order))
            del self._spreading[most_told.rumour.name]

    def correct(self, rumour: Rumour, repeats: int, times: int) -> None:
        """Spreads who else found out, or found out earlier, less often: it changes no view.

        With a thousand members many find a death in the same moment, and each would else start the
        whole rumour again.

        Args:
            rumour: The correction.
            repeats: How often each rumour is told.
            times: How often this one is, where the one that it corrects has been told.
        """
        waiting = self._spreading.get(rumour.name)
        told = waiting.told if waiting is not None else repeats - times
        self.put(rumour)
        if rumour.name in self._spreading:
            self._spreading[rumour.name].told = told

    def take(self, count: int, repeats: int, first: Rumour | None = None) -> tuple[Rumour, ...]:
        """Rumours for one datagram.

        Args:
            count: No more than so many.
            repeats: How often each is told before it is dropped.
            first: Goes in before all others, and is not counted as told.
        """
        taken = [] if first is None else [first]
        if not self._spreading:
            return tuple(taken)
        fresh_first = sorted(self._spreading.values(), key=lambda s: (s.told, -s.order))
        for spreading in fresh_first[: count - len(taken)]:
            spreading.told += 1
            if spreading.told >= repeats:
                del self._spreading[spreading.rumour.name]
            if first is None or spreading.rumour.name != first.name:
                taken.append(spreading.rumour)
        return tuple(taken)

    def forget(self, name: str) -> None:
        """Spreads nothing of a member that is none any more."""
        self._spreading.pop(name, None)
