"""Whom to probe next: everybody once, in a random order, and then in another one.

A fixed bound on when each member is probed, where plain random choice would have none.
Source: SWIM, section 4.3 (round-robin probe target selection).
"""

from __future__ import annotations

from collections.abc import Callable

from ssi.mesh.chance import Chance


class Ring:
    """Names in random order, gone round for ever; newcomers get in at a random place."""

    def __init__(self, random: Chance) -> None:
        self._random = random
        self._names: list[str] = []
        self._next = 0

    def follow(self, names: set[str]) -> None:
        """Has exactly these names from now on."""
        known = set(self._names)
        self._names = [name for name in self._names if name in names]
        for name in sorted(names - known):
            self._names.insert(self._random.randint(0, len(self._names)), name)

    def next(self, fits: Callable[[str], bool]) -> str | None:
        """The next name that fits; None where a whole round has none."""
        for _ in range(len(self._names)):
            if self._next >= len(self._names):
                self._random.shuffle(self._names)
                self._next = 0
            name = self._names[self._next]
            self._next += 1
            if fits(name):
                return name
        return None
