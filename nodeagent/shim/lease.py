"""The lease of a foreground job: without a client that cares, it is told to hang up. Pure."""

from __future__ import annotations

from typing import Final

GRACE_S: Final = 5.0
"""Between SIGHUP and SIGKILL."""


class Lease:
    """Lasts ``lease_s`` from each renewal; 0 seconds last for ever."""

    def __init__(self, lease_s: float, now_s: float) -> None:
        self.lease_s = lease_s
        self._renewed_s = now_s

    def renew(self, now_s: float, lease_s: float | None = None) -> None:
        """It lasts anew from ``now_s``, and for ``lease_s`` from now on where that is given."""
        self._renewed_s = now_s
        if lease_s is not None:
            self.lease_s = lease_s

    def time_left_s(self, now_s: float) -> float | None:
        """Seconds until it ends; 0 when it has, None when it never does."""
        if self.lease_s <= 0:
            return None
        return max(0.0, self._renewed_s + self.lease_s - now_s)
