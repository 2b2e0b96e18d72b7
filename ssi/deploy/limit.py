"""How long a deployment may take as a whole, whatever limits its steps have."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

KEPT_S = 5.0
"""At most so much of the time is kept for the last steps, and at most a quarter of it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A time that began when this was made.

    A host that hangs must not cost those that are ready their last step: it is given up a little
    before the end.

    Attributes:
        after_s: How long it is; None for as long as the steps take.
        began_s: Of the monotonic clock.
    """

    after_s: float | None = None
    began_s: float = field(default_factory=time.monotonic)

    def left_s(self, *, kept: bool = False) -> float | None:
        """What is left of it, never below 0; None for no limit.

        Args:
            kept: Without what is kept for the last steps.
        """
        if self.after_s is None:
            return None
        used_s = time.monotonic() - self.began_s
        kept_s = min(KEPT_S, self.after_s / 4) if kept else 0.0
        return max(0.0, self.after_s - kept_s - used_s)

    def at_most_s(self, longest_s: float) -> float:
        """A limit of a step, where this one is not shorter."""
        left_s = self.left_s()
        return longest_s if left_s is None else min(longest_s, left_s)
