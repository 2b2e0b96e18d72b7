"""How many bytes of files may be under way: nobody's request waits long behind them. Pure."""

from __future__ import annotations

import math
from typing import Final

from ssi.protocol.filerequests import MAX_DATA_BYTES

SLOW_S: Final = 0.25
"""An answer that took so much longer than the quickest has waited for others on the link."""

FORGETS: Final = 1.02
"""The quickest is forgotten a little with each answer: the way to a server may become longer."""


class Pace:
    """See the module: one request on a slow link, more and more on others.

    Args:
        most_bytes: On the quickest link.
    """

    def __init__(self, most_bytes: int) -> None:
        self.allowed_bytes = MAX_DATA_BYTES
        """So many may be under way at once; a single request always may."""
        self._most_bytes = most_bytes
        self._quickest_s = math.inf

    def answered(self, size_bytes: int, took_s: float) -> None:
        """A large request was answered so long after it was sent."""
        self._quickest_s = min(self._quickest_s * FORGETS, took_s)
        if took_s - self._quickest_s > SLOW_S:
            self.allowed_bytes = max(self.allowed_bytes // 2, MAX_DATA_BYTES)
        else:
            self.allowed_bytes = min(self.allowed_bytes + size_bytes, self._most_bytes)
