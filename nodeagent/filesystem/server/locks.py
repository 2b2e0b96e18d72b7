"""Locks, held by the kernel of the server, so that programs there meet them too.

flock(2) locks belong to an open file, and so to its descriptor. fcntl(2) locks belong to a process
and an inode: each owner has a descriptor of its own per inode, on which its locks are those of an
open file description. Source: fcntl(2), "Open file description locks".
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
from typing import Final

from nodeagent.filesystem.server.session import OpenFile, Session
from nodeagent.filesystem.server.tree import reopened
from ssi.protocol.filereplies import Held, Nothing
from ssi.protocol.filerequests import Lock, TestLock

_FLOCK: Final = struct.Struct("hhqqi4x")
_SETLK: Final = 37
_GETLK: Final = 36
_LAST: Final = (1 << 63) - 1
_FLOCK_KINDS: Final = {
    fcntl.F_RDLCK: fcntl.LOCK_SH,
    fcntl.F_WRLCK: fcntl.LOCK_EX,
    fcntl.F_UNLCK: fcntl.LOCK_UN,
}


class Locks:
    """Takes locks without waiting; whoever asked tries again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def take(self, session: Session, body: Lock) -> Nothing:
        """Takes, changes or gives back a lock.

        Raises:
            OSError: ``EAGAIN`` where somebody else has it.
        """
        if body.whole:
            with session.file(body.handle).use() as descriptor:
                fcntl.flock(descriptor, _FLOCK_KINDS[body.kind] | fcntl.LOCK_NB)
            return Nothing()
        held = self._descriptor(session, body.handle, body.owner, makes=body.kind != fcntl.F_UNLCK)
        if held is None:
            return Nothing()
        with held.use() as descriptor:
            fcntl.fcntl(descriptor, _SETLK, _packed(body.kind, body.start, body.end))
        if body.kind == fcntl.F_UNLCK and body.start == 0 and body.end >= _LAST:
            self._forget(session, body)
        return Nothing()

    def test(self, session: Session, body: TestLock) -> Held:
        """Who is in the way."""
        held = self._descriptor(session, body.handle, body.owner, makes=True)
        assert held is not None
        with held.use() as descriptor:
            told = fcntl.fcntl(descriptor, _GETLK, _packed(body.kind, body.start, body.end))
        kind, _, start, length, pid = _FLOCK.unpack(told)
        return Held(kind, start, start + length - 1 if length else _LAST, max(pid, 0))

    def _descriptor(
        self, session: Session, handle: int, owner: int, *, makes: bool
    ) -> OpenFile | None:
        file = session.file(handle)
        with file.use() as descriptor:
            found = os.fstat(descriptor)
            key = (found.st_dev, found.st_ino, owner)
            with self._lock:
                held = session.locks.get(key)
                if held is not None and (held.writable or not file.writable):
                    return held
                if held is None and not makes:
                    return None
            # The same access as the file has, or both where the user may.
            opened = _reopen(descriptor, writable=file.writable)
            writable = fcntl.fcntl(opened, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
            made = OpenFile(opened, file.identity, writable=writable)
        with self._lock:
            session.locks[key] = made
        # A lock that only reads was taken through the older descriptor and is given up with it.
        if held is not None:
            held.release()
        return made

    def _forget(self, session: Session, body: Lock) -> None:
        file = session.files.get(body.handle)
        if file is None:
            return
        with file.use() as descriptor:
            found = os.fstat(descriptor)
        with self._lock:
            held = session.locks.pop((found.st_dev, found.st_ino, body.owner), None)
        if held is not None:
            held.release()


def _reopen(descriptor: int, *, writable: bool) -> int:
    path = reopened(descriptor)
    if writable:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        except PermissionError:
            return os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as exc:
        if exc.errno not in {errno.EACCES, errno.EROFS, errno.EPERM, errno.ETXTBSY}:
            raise
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def _packed(kind: int, start: int, end: int) -> bytes:
    length = 0 if end >= _LAST else end - start + 1
    return _FLOCK.pack(kind, os.SEEK_SET, start, length, 0)
