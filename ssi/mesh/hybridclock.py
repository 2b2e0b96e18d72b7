"""A clock that never goes back and orders what follows from what, over all members.

A stamp is one integer: milliseconds of wall time above, a counter below. Whatever a member says
after it has heard something has a higher stamp than that, even where its wall clock is behind.
Source: hybrid logical clocks (Kulkarni and others, OPODIS 2014).
"""

from __future__ import annotations

from typing import Final

COUNTER_BITS: Final = 16

MAX_AHEAD_MS: Final = 3_600_000
"""A stamp further ahead of our wall clock is not followed: one broken clock would drag all."""


class HybridClock:
    """The stamps of one member."""

    def __init__(self) -> None:
        self.last = 0

    def stamp(self, wall_ms: float) -> int:
        """A stamp higher than every one that was given or observed."""
        self.last = max(self.last + 1, int(wall_ms) << COUNTER_BITS)
        return self.last

    def observe(self, stamp: int, wall_ms: float) -> None:
        """Another member's stamp was seen: what is said from now on comes after it."""
        if stamp >> COUNTER_BITS <= wall_ms + MAX_AHEAD_MS:
            self.last = max(self.last, stamp)


def wall_ms_of(stamp: int) -> int:
    """About which wall time a stamp was given, in milliseconds."""
    return stamp >> COUNTER_BITS
