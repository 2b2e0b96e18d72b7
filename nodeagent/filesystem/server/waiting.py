"""Locks that somebody waits for.

They are tried again soon after any lock was given back, and now and then, because programs of the
server itself give theirs back unseen.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import Final

from nodeagent.filesystem.server.session import Session
from nodeagent.filesystem.server.work import Work

FIRST_S: Final = 0.01
LONGEST_S: Final = 0.25
MAX_WAITING: Final = 4096
"""Of one mount."""

_IDLE_S: Final = 60.0
_RECENTLY_S: Final = 5.0
"""One that is being tried just now does not wait, and may do so again the next moment."""


class Waiting:
    """All that wait; any thread."""

    def __init__(self) -> None:
        self._waiting: list[Work] = []
        self._due_s = 0.0
        self._rest_s = FIRST_S
        self._waited_s = -_RECENTLY_S
        self._cancelled: set[tuple[int, int]] = set()
        self._lock = threading.Lock()

    def add(self, lock: Work) -> bool:
        """One more waits; False where it was cancelled while it was tried.

        Raises:
            OSError: ``ENOLCK``: too many of its mount wait.
        """
        with self._lock:
            if sum(each.session is lock.session for each in self._waiting) >= MAX_WAITING:
                raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
            if self._is_cancelled(lock.session, lock.asked.id):
                return False
            self._waiting.append(lock)
            self._waited_s = time.monotonic()
            return True

    def granted(self, session: Session, request: int) -> None:
        """One was taken: whoever cancels it at that moment is told so all the same."""
        with self._lock:
            self._is_cancelled(session, request)

    def _is_cancelled(self, session: Session, request: int) -> bool:
        key = (id(session), request)
        found = key in self._cancelled
        self._cancelled.discard(key)
        return found

    def due_s(self) -> float:
        """In how many seconds :meth:`ready` has something."""
        with self._lock:
            return max(self._due_s - time.monotonic(), 0.001) if self._waiting else _IDLE_S

    def hurry(self) -> bool:
        """A lock was given back: all may try now; whether there are any, or were a moment ago."""
        with self._lock:
            self._due_s, self._rest_s = 0.0, FIRST_S
            return time.monotonic() - self._waited_s < _RECENTLY_S

    def ready(self) -> list[Work]:
        """Those that are to try again now; they do not wait any more until they are added."""
        now_s = time.monotonic()
        with self._lock:
            if not self._waiting or now_s < self._due_s:
                return []
            self._due_s = now_s + self._rest_s
            self._rest_s = min(self._rest_s * 2, LONGEST_S)
            ready, self._waiting = self._waiting, []
            self._waited_s = now_s
        return ready

    def take(self, session: Session, request: int) -> Work | None:
        """The one of that request, which waits no more; None while it is being tried."""
        with self._lock:
            for each in self._waiting:
                if each.session is session and each.asked.id == request:
                    self._waiting.remove(each)
                    return each
            if request in session.underway:
                self._cancelled.add((id(session), request))
        return None

    def drop(self, session: Session) -> None:
        """Forgets all of a session."""
        with self._lock:
            self._waiting = [each for each in self._waiting if each.session is not session]
            self._cancelled = {each for each in self._cancelled if each[0] != id(session)}
