"""Whether something took long because of what it did, or because others had the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_STATISTICS: Final = Path("/proc/thread-self/schedstat")


class Delay:
    """How long this thread stood in line. Source: sched-stats of the kernel's documentation."""

    def __init__(self) -> None:
        self._before_s = _delay_s()

    def grown_s(self) -> float:
        """By how much since this was asked last; 0 where the kernel does not tell."""
        before_s, self._before_s = self._before_s, _delay_s()
        return self._before_s - before_s


def _delay_s() -> float:
    try:
        return int(_STATISTICS.read_bytes().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
