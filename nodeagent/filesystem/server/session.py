"""What the server keeps for one mount: its open files, and answers that may be asked for again."""

from __future__ import annotations

import errno
import itertools
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from nodeagent.filesystem.server.credentials import Identity
from nodeagent.filesystem.server.router import Route

MAX_HANDLES: Final = 16384
"""Open files and listings of one mount."""

MAX_ANSWERS: Final = 512
"""Answers to changes that are kept for a repetition; more than can be under way."""

Frames = tuple[bytes, ...]

LockOwner = tuple[int, int, int]
"""An inode, by device and number, and the owner of locks on it."""


class OpenFile:
    """A descriptor that is closed once it was released and nobody uses it any more.

    Without the count, a release beside a read would let the read meet whatever file got the same
    number next.
    """

    def __init__(self, descriptor: int, identity: Identity, *, writable: bool) -> None:
        self.identity = identity
        self.writable = writable
        self._descriptor = descriptor
        self._users = 1
        self._lock = threading.Lock()

    @contextmanager
    def use(self) -> Iterator[int]:
        """The descriptor, for the length of a block.

        Raises:
            OSError: ``EBADF`` where it was closed.
        """
        with self._lock:
            if self._users == 0:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            self._users += 1
        try:
            yield self._descriptor
        finally:
            self.release()

    def release(self) -> None:
        """One user fewer; the opening itself counts as one."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                os.close(self._descriptor)


@dataclass(slots=True)
class Rest:
    """What of a listing was not told yet."""

    path: bytes
    names: list[bytes]
    identity: Identity


@dataclass(eq=False, slots=True)
class Session:
    """One mount of one node.

    Attributes:
        node: Whose key the connection proved.
        heard_s: When it was heard last.
        underway: Numbers of the requests that are carried out, or wait for that, or for a lock.
        locks: A descriptor for each owner of fcntl(2) locks, so that each is an owner here.
    """

    node: str
    heard_s: float = field(default_factory=time.monotonic)
    files: dict[int, OpenFile] = field(default_factory=dict)
    rests: dict[int, Rest] = field(default_factory=dict)
    underway: set[int] = field(default_factory=set)
    answers: OrderedDict[int, Frames | Route] = field(default_factory=OrderedDict)
    locks: dict[LockOwner, OpenFile] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def keep(self, file: OpenFile) -> int:
        """The handle of a file that was opened.

        Raises:
            OSError: ``EMFILE``; the file is closed.
        """
        if len(self.files) + len(self.rests) >= MAX_HANDLES:
            file.release()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        handle = next(self._numbers)
        self.files[handle] = file
        return handle

    def keep_rest(self, rest: Rest) -> int:
        """The handle of a listing that is not at its end.

        Raises:
            OSError: ``EMFILE``.
        """
        if len(self.files) + len(self.rests) >= MAX_HANDLES:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        handle = next(self._numbers)
        self.rests[handle] = rest
        return handle

    def file(self, handle: int) -> OpenFile:
        """The open file of a handle.

        Raises:
            OSError: ``EBADF``.
        """
        found = self.files.get(handle)
        if found is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return found

    def release(self, handle: int) -> None:
        """Closes; harmless afterwards."""
        file = self.files.pop(handle, None)
        if file is not None:
            file.release()
        self.rests.pop(handle, None)

    def begin(self, request: int, route: Route) -> Frames | bool:
        """How a change stands: True where it is new, its answer, or False while it is under way.

        Its answer goes by ``route``: the connection by which it was asked first may have ended.
        """
        with self._lock:
            known = self.answers.get(request)
            if isinstance(known, tuple):
                return known
            self.answers[request] = route
            if len(self.answers) > MAX_ANSWERS:
                # Never one that is under way: a lock may be waited for as long as one likes.
                known_ones = self.answers.items()
                answered = (number for number, each in known_ones if isinstance(each, tuple))
                oldest = next(answered, None)
                if oldest is not None:
                    del self.answers[oldest]
            return known is None

    def end(self, request: int, frames: Frames) -> Route | None:
        """Remembers the answer of a change; where it goes, None where that was forgotten."""
        with self._lock:
            known = self.answers.get(request)
            if known is None or isinstance(known, tuple):
                return None
            self.answers[request] = frames
            return known

    def close(self) -> None:
        """Gives back all that it holds."""
        for lock in list(self.locks.values()):
            lock.release()
        self.locks.clear()
        for handle in list(self.files):
            self.release(handle)
        self.rests.clear()
