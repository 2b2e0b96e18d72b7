"""Which of a link's requests are under way, and which wait for that.

A server grants so many, and so many bytes. A slow link bears less: what is large waits there for
other large requests, so that what is small does not. So whoever needs an order waits for answers.
What may wait at the server for as long as it likes, as for a lock, and what asks after others,
takes no place.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from ssi.protocol.filerequests import MAX_DATA_BYTES
from ssi.transport.filepending import Pending
from ssi.transport.pace import Pace

FIRST_REQUESTS: Final = 64
FIRST_BYTES: Final = 8 * MAX_DATA_BYTES
"""Until the server has granted more."""

LARGE_BYTES: Final = 64 * 1024
MOST_BYTES: Final = 32 * MAX_DATA_BYTES


class FileWindow:
    """See the module.

    Args:
        is_paced: Whether a slow link bears less; else only the server's word counts.
    """

    def __init__(self, *, is_paced: bool) -> None:
        self._requests, self._bytes = FIRST_REQUESTS, FIRST_BYTES
        self._under_way = self._under_way_bytes = 0
        self._pace = Pace(MOST_BYTES) if is_paced else None
        self._free: deque[Pending] = deque()
        self._small: deque[Pending] = deque()
        self._large: deque[Pending] = deque()

    def grant(self, requests: int, size_bytes: int) -> None:
        """The server allows so much."""
        self._requests, self._bytes = requests, size_bytes

    def add(self, pending: Pending) -> None:
        """A request is to be sent."""
        self._queue(pending).append(pending)

    def add_again(self, pendings: Iterable[Pending]) -> None:
        """Requests are to be sent once more, before all others."""
        for pending in reversed(list(pendings)):
            self.settle(pending)
            self._queue(pending).appendleft(pending)

    def begin_again(self, pendings: Iterable[Pending]) -> None:
        """Nothing is under way, and these are to be sent."""
        self._under_way = self._under_way_bytes = 0
        self._free.clear()
        self._small.clear()
        self._large.clear()
        for pending in pendings:
            pending.sent = False
            self.add(pending)

    def next(self) -> Pending | None:
        """The next request that may be sent, which is under way from now on."""
        for queue in (self._free, self._small, self._large):
            while queue and queue[0].is_over:
                queue.popleft()
            if queue and self._admits(queue[0]):
                pending = queue.popleft()
                pending.sent, pending.sent_s = True, time.monotonic()
                if pending.is_counted:
                    self._under_way += 1
                    self._under_way_bytes += pending.cost_bytes
                return pending
        return None

    def answered(self, pending: Pending) -> None:
        """A request has its answer: what could not be sent yet has waited for others until now."""
        now_s = time.monotonic()
        if self._pace is not None and pending.sent and pending.cost_bytes >= LARGE_BYTES:
            self._pace.answered(pending.cost_bytes, now_s - pending.sent_s)
        self.prolong(now_s)

    def prolong(self, now_s: float) -> None:
        """The server is at others: those that could not be sent have as long as from now on."""
        for queue in (self._small, self._large):
            for each in queue:
                each.due_s = min(now_s + each.within_s, each.until_s)

    def end(self, pending: Pending) -> None:
        """Nobody waits for a request any more."""
        pending.is_over = True
        self.settle(pending)

    def settle(self, pending: Pending) -> None:
        """A request is not under way any more, if it was."""
        if pending.sent:
            pending.sent = False
            if pending.is_counted:
                self._under_way -= 1
                self._under_way_bytes -= pending.cost_bytes

    def _queue(self, pending: Pending) -> deque[Pending]:
        if not pending.is_counted:
            return self._free
        is_large = self._pace is not None and pending.cost_bytes >= LARGE_BYTES
        return self._large if is_large else self._small

    def _admits(self, pending: Pending) -> bool:
        if not self._under_way or not pending.is_counted:
            return True
        most_bytes = self._bytes
        if self._pace is not None and pending.cost_bytes >= LARGE_BYTES:
            most_bytes = min(most_bytes, self._pace.allowed_bytes)
        full = self._under_way_bytes + pending.cost_bytes > most_bytes
        # The first large one may always be under way, whatever is small beside it.
        is_first = self._under_way_bytes < LARGE_BYTES and pending.cost_bytes <= self._bytes
        return self._under_way < self._requests and (not full or is_first)
