"""A signal ends a measurement as its own end does: what it made is removed.

``timeout`` and a service that stops send SIGTERM, a terminal SIGINT or SIGHUP. The first of them
becomes an exit, so that every ``finally`` runs; what comes while those run does not break them off,
for each step of a clean-up is bounded. Children get all signals as ever.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Ending:
    """Of this process; its main thread alone may use it."""

    def __init__(self) -> None:
        self._came = 0
        self._cleaning = 0

    def by_signals(self) -> None:
        """From now on a signal is an exit, with 128 and its number."""
        for number in SIGNALS:
            signal.signal(number, self._take)

    @contextmanager
    def cleaning(self) -> Iterator[None]:
        """What is done within is done to its end; a signal that came meanwhile ends us after."""
        came = self._came
        self._cleaning += 1
        try:
            yield
        finally:
            self._cleaning -= 1
        if self._came != came:
            sys.exit(128 + self._came)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        is_first, self._came = not self._came, self._came or number
        if is_first and not self._cleaning:
            sys.exit(128 + number)


ending: Final = Ending()
