"""A loop for threads of tests."""

from __future__ import annotations

import select

from nodeagent.mechanism.loop import Loop


class PlainLoop(Loop):
    """Leaves signals and children to pytest."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched, self._timers, self._after = {}, [], []
        self._turn, self._prune_at = 0, 1000
        self._running = False

    def close(self) -> None:
        self._epoll.close()
