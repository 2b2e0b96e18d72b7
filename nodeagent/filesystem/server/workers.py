"""Threads that carry out what takes longer than the thread that leads may take."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from nodeagent.filesystem.server.work import Work

THREADS: Final = 6
MAX_THREADS: Final = 64
"""While all others are at something that takes long, so that it is in nobody's way: a disk that
writes nothing, a file system of another machine that is gone."""

IDLE_S: Final = 30.0
"""One of those above ``THREADS`` ends when there was nothing to do for so long."""


class Workers:
    """See the module. All but :meth:`put` is for the thread that made it.

    Args:
        do: Carries out a request; on one of the threads.
    """

    def __init__(self, do: Callable[[Work], None]) -> None:
        self._do = do
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._threads = self._done = self._done_before = 0
        self._counting = threading.Lock()

    def start(self) -> None:
        """They begin, with the rights of the thread that calls."""
        self._add(THREADS)

    def put(self, work: Work) -> None:
        """One of them carries it out; any thread."""
        self._work.put(work)

    def look(self) -> None:
        """Where work waits and none has done anything since the last look, more of them begin."""
        done, waiting = self._done, self._work.qsize()
        if done == self._done_before and waiting:
            self._add(min(waiting, MAX_THREADS - self._threads))
        self._done_before = done

    def stop(self) -> None:
        """They end once they have done what they are at."""
        for _ in range(self._threads):
            self._work.put(None)

    def _add(self, number: int) -> None:
        for _ in range(number):
            with self._counting:
                self._threads += 1
                patience_s = None if self._threads <= THREADS else IDLE_S
            threading.Thread(target=self._carry_out, args=(patience_s,), daemon=True).start()

    def _carry_out(self, patience_s: float | None) -> None:
        try:
            while (work := self._work.get(timeout=patience_s)) is not None:
                self._do(work)
                self._done += 1  # two at once may count as one: whether anything was done matters
        except Empty:
            with self._counting:
                self._threads -= 1
