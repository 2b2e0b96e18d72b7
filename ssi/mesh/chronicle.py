"""What happened in the mesh, in one order that all members share: the newest thousand.

Each happening is a rumour that was believed; its kind and its stamp are those of whoever said it
first, so that every member that heard of it shows it in the same place.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

from ssi.model.node import NodeState
from ssi.protocol.pulse import Rumour

LIMIT: Final = 1000


class Chronicle:
    """Rumours by their stamps, oldest first; of the same happening, the earliest stamp."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._stamps: dict[tuple[str, NodeState, int], int] = {}
        self._entries: list[tuple[int, str, Rumour]] = []

    def add(self, rumour: Rumour) -> None:
        """Remembers what was believed; without a stamp it has no place in the order."""
        if not rumour.at:
            return
        key = (rumour.name, rumour.state, rumour.incarnation)
        known_at = self._stamps.get(key)
        if known_at is not None:
            if known_at <= rumour.at:
                return
            self._remove(key, known_at)
        self._stamps[key] = rumour.at
        insort(self._entries, (rumour.at, rumour.name, rumour), key=lambda e: e[:2])
        if len(self._entries) > self._limit:
            del self._stamps[_key_of(self._entries.pop(0)[2])]

    def entries(self) -> list[Rumour]:
        """All that is remembered, in the order of the stamps."""
        return [rumour for _at, _name, rumour in self._entries]

    def newest(self, count: int) -> list[Rumour]:
        """So many of them, those of the highest stamps, in the order of the stamps."""
        return [rumour for _at, _name, rumour in self._entries[-count:]]

    def _remove(self, key: tuple[str, NodeState, int], at: int) -> None:
        index = bisect_left(self._entries, (at, key[0]), key=lambda e: e[:2])
        while _key_of(self._entries[index][2]) != key:  # others may have its stamp
            index += 1
        del self._entries[index]


def _key_of(rumour: Rumour) -> tuple[str, NodeState, int]:
    return rumour.name, rumour.state, rumour.incarnation


def kind_of(rumour: Rumour) -> str:
    """The word for what happened: joined, refuted, suspected, died or left."""
    if rumour.state is NodeState.ALIVE:
        return "refuted" if rumour.by else "joined"
    words = {
        NodeState.SUSPECT: "suspected",
        NodeState.DEAD: "died",
        NodeState.LEFT: "left",
    }
    return words[rumour.state]
