"""The pauses between keys: what is asked now and then is asked in one of them.

A key's way to a program and back goes through the shell's own loop, and where it has no channel
through those of two agents; they also carry the looks at nodes and jobs that a shell takes each
second or so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

ECHO_S: Final = 0.01
"""By then the echo of a key has come, mostly: it takes 2 to 4 ms."""

LONGEST_S: Final = 0.2
"""For a lull: keys that come by the dozen are a paste, or a program's."""


class Lull:
    """Knows when the last key was typed.

    Args:
        clock: In seconds.
        sleep: Waits for so many of them.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._typed_s = float("-inf")

    def typed(self) -> None:
        """A key was typed."""
        self._typed_s = self._clock()

    async def begin(self) -> None:
        """Waits until the echo of the last key has come, at most :data:`LONGEST_S`."""
        give_up_s = self._clock() + LONGEST_S
        while (left_s := min(self._typed_s + ECHO_S, give_up_s) - self._clock()) > 0:
            await self._sleep(left_s)
