"""Self-awareness: a member that hears little doubts itself first, and probes more slowly.

Source: Lifeguard, section IV.A (LHA-Probe).
"""

from __future__ import annotations


class Awareness:
    """How much this member doubts itself: 0 not at all.

    Args:
        limit: The score stays below it, so that probes get at most so many times slower.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.score = 0

    def __repr__(self) -> str:
        return f"Awareness({self.score} of {self._limit - 1})"

    def improve(self) -> None:
        """A probe of ours was answered in time."""
        self.score = max(0, self.score - 1)

    def worsen(self, by: int = 1) -> None:
        """Answers that were due did not come, or somebody suspects us."""
        self.score = min(self._limit - 1, self.score + by)

    def scale(self, time_s: float) -> float:
        """A time as it is in our present state of health."""
        return time_s * (self.score + 1)
