"""How long to wait before an agent that died is started again. Pure."""

from __future__ import annotations

from typing import Final

FIRST_DELAY_S: Final = 0.2
LONGEST_DELAY_S: Final = 30.0
HEALTHY_AFTER_S: Final = 60.0
"""An agent that lived so long did not fail at its start: its end is a first one."""


class Backoff:
    """Doubles the delay with each failure in a row."""

    def __init__(self) -> None:
        self._failures = 0

    def delay_s(self, lived_s: float) -> float:
        """Seconds to wait after an agent that lived ``lived_s``."""
        if lived_s >= HEALTHY_AFTER_S:
            self._failures = 0
        delay_s = min(FIRST_DELAY_S * 2.0**self._failures, LONGEST_DELAY_S)
        # 0.2 s doubled eight times is beyond the longest; a count without bound would overflow.
        self._failures = min(self._failures + 1, 8)
        return delay_s
