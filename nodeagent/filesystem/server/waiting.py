"""Locks that somebody waits for.

They are tried again soon after any lock was given back, and now and then, because programs of the
server itself give theirs back unseen.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from nodeagent.filesystem.server.session import Session
from ssi.protocol.fileframes import Asked

FIRST_S: Final = 0.01
LONGEST_S: Final = 0.25
_IDLE_S: Final = 60.0


@dataclass(eq=False, slots=True)
class WaitingLock:
    """One request that waits."""

    session: Session
    asked: Asked
    since_s: float = field(default_factory=time.monotonic)


class Waiting:
    """All that wait; any thread."""

    def __init__(self) -> None:
        self._waiting: list[WaitingLock] = []
        self._due_s = 0.0
        self._rest_s = FIRST_S
        self._cancelled: set[tuple[int, int]] = set()
        self._lock = threading.Lock()

    def add(self, lock: WaitingLock) -> bool:
        """One more waits; False where it was cancelled while it was tried."""
        with self._lock:
            if self._is_cancelled(lock.session, lock.asked.id):
                return False
            self._waiting.append(lock)
            return True

    def was_cancelled(self, session: Session, request: int) -> bool:
        """Whether nobody wants a lock any more that was just taken."""
        with self._lock:
            return self._is_cancelled(session, request)

    def _is_cancelled(self, session: Session, request: int) -> bool:
        key = (id(session), request)
        found = key in self._cancelled
        self._cancelled.discard(key)
        return found

    def due_s(self) -> float:
        """In how many seconds :meth:`ready` has something."""
        with self._lock:
            return max(self._due_s - time.monotonic(), 0.001) if self._waiting else _IDLE_S

    def hurry(self) -> None:
        """A lock was given back: all may try now."""
        with self._lock:
            self._due_s, self._rest_s = 0.0, FIRST_S

    def ready(self) -> list[WaitingLock]:
        """Those that are to try again now; they do not wait any more until they are added."""
        now_s = time.monotonic()
        with self._lock:
            if not self._waiting or now_s < self._due_s:
                return []
            self._due_s = now_s + self._rest_s
            self._rest_s = min(self._rest_s * 2, LONGEST_S)
            ready, self._waiting = self._waiting, []
        return ready

    def take(self, session: Session, request: int) -> WaitingLock | None:
        """The one of that request, which waits no more; None while it is being tried."""
        with self._lock:
            for each in self._waiting:
                if each.session is session and each.asked.id == request:
                    self._waiting.remove(each)
                    return each
            self._cancelled.add((id(session), request))
        return None

    def drop(self, session: Session) -> None:
        """Forgets all of a session."""
        with self._lock:
            self._waiting = [each for each in self._waiting if each.session is not session]
            self._cancelled = {each for each in self._cancelled if each[0] != id(session)}
