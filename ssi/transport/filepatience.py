"""For how long what a file server was asked is waited for.

A server that says nothing is given up after a few seconds; one that is there may be at a request
for long: an fsync(2) of much on a slow disk, a disk that starts to turn. So it is asked which
requests it is at before their time is over. It does not tell so of one that never reached it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Final

from ssi.protocol.filereplies import FileReply, Underway
from ssi.protocol.filerequests import FileRequest, FindUnderway
from ssi.transport.filepending import Pending, Then
from ssi.transport.filewindow import FileWindow

LONGEST_S: Final = 900.0
"""What a server is at is waited for so long at most."""

MOST_ASKED_AFTER: Final = 1024


class FilePatience:
    """See the module.

    Args:
        pending: The link's requests by number.
        window: That holds those which could not be sent yet.
        ask: Sends a request that has so many seconds.

    Attributes:
        server_tells: Whether the server can be asked.
    """

    def __init__(
        self,
        pending: Mapping[int, Pending],
        window: FileWindow,
        ask: Callable[[FileRequest, Then, float], object],
    ) -> None:
        self.server_tells = False
        self._pending = pending
        self._window = window
        self._ask = ask
        self._is_asking = False

    def late(self, now_s: float, *, stands: bool) -> list[Pending]:
        """Those that are to be given up; ``stands`` is whether the server is connected."""
        if stands and self.server_tells:
            self._ask_after(now_s)
        return [
            each
            for each in self._pending.values()
            if each.due_s <= now_s
            # An older server does not tell that somebody waits for a lock there.
            and not (stands and each.until_s == math.inf and not self.server_tells)
        ]

    def _ask_after(self, now_s: float) -> None:
        if self._is_asking:
            return
        late = [
            each
            for each in self._pending.values()
            if each.sent and each.due_s < each.until_s and each.due_s - now_s < each.within_s / 2
        ][:MOST_ASKED_AFTER]
        if late:
            self._is_asking = True
            numbers = tuple(each.asked.id for each in late)
            self._ask(FindUnderway(numbers), self._told, max(each.within_s for each in late))

    def _told(self, _error: int, told: FileReply | None, _data: memoryview) -> None:
        self._is_asking = False
        if not isinstance(told, Underway):
            return
        now_s = time.monotonic()
        for number in told.requests:
            pending = self._pending.get(number)
            if pending is not None:
                pending.due_s = min(now_s + pending.within_s, pending.until_s)
        self._window.prolong(now_s)
