"""Locks, which are the server's."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from typing import Final

from msgspec import structs

from nodeagent.filesystem.fuse import abi, replies, requests
from nodeagent.filesystem.fuse.abi import Opcode
from nodeagent.filesystem.fuse.requests import Body, Header
from nodeagent.filesystem.mount.handles import File
from nodeagent.filesystem.mount.mount import Mount
from nodeagent.mechanism.procfs import is_dying, process_of
from ssi.protocol import filereplies, filerequests
from ssi.protocol.filereplies import FileReply

_LAST: Final = (1 << 63) - 1
_AWAY: Final = {errno.EHOSTDOWN, errno.ETIMEDOUT}


def lock(mount: Mount, header: Header, body: Body) -> None:
    """SETLK, SETLKW."""
    assert isinstance(body, requests.Lock)
    file = _file(mount, body.handle)
    whole = bool(body.flags & abi.LK_FLOCK)
    waits = header.opcode == Opcode.SETLKW and body.kind != fcntl.F_UNLCK
    asked = filerequests.Lock(
        file.handle, body.owner, body.kind, body.start, min(body.end, _LAST), whole, waits
    )
    has_others = file.has_flock if whole else body.owner in file.lock_owners
    undo = None if has_others else structs.replace(asked, kind=fcntl.F_UNLCK, wait=False)
    if body.kind != fcntl.F_UNLCK:
        if whole:
            file.has_flock = True
        else:
            file.lock_owners.add(body.owner)
            file.node.was_locked = True
            if file.closes_unheard:
                file.takers[body.owner] = process_of(header.pid)
        mount.memory.opened(file)

    def done(_reply: FileReply, _payload: memoryview) -> None:
        mount.reply(header)

    # Once: else the wait of a worker that was killed stays, and is granted to nobody.
    mount.server.ask(header, asked, done, as_opener=file, once=waits, undo=undo)


def test(mount: Mount, header: Header, body: Body) -> None:
    """GETLK."""
    assert isinstance(body, requests.Lock)
    file = _file(mount, body.handle)

    def found(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Held)
        mount.reply(header, replies.lock(reply.start, reply.end, reply.kind, reply.pid))

    end = min(body.end, _LAST)
    asked = filerequests.TestLock(file.handle, body.owner, body.kind, body.start, end)
    mount.server.ask(header, asked, found, as_opener=file)


def release_all(
    mount: Mount,
    header: Header,
    file: File,
    owner: int,
    then: Callable[[], None],
    *,
    failed: Callable[[int], None] | None = None,
) -> None:
    """Gives back all fcntl(2) locks of a process that closes a descriptor."""
    asked = _unlocking(file, owner)
    mount.server.ask(header, asked, lambda _reply, _payload: then(), as_opener=file, failed=failed)


def give_back(mount: Mount) -> None:
    """Gives back locks of processes that have ended, of whose closes the kernel does not tell.

    Others have the file open yet, who got the descriptor from them; else its last close does it.
    """
    for file in [each for each in mount.handles.files.values() if each.takers]:
        for owner, pid in list(file.takers.items()):
            if is_dying(pid):
                _give_back(mount, file, owner, pid)


def _give_back(mount: Mount, file: File, owner: int, pid: int) -> None:
    def answered(error: int, _reply: FileReply | None) -> None:
        if file.number not in mount.handles.files:
            return  # it was closed meanwhile
        if error in _AWAY:  # it is tried again
            file.lock_owners.add(owner)
            file.takers[owner] = pid
        mount.memory.opened(file)

    mount.server.ask_as(file, _unlocking(file, owner), b"", answered)


def _unlocking(file: File, owner: int) -> filerequests.Lock:
    """What gives all of an owner's locks back; the file has none of them from here on."""
    file.lock_owners.discard(owner)
    file.takers.pop(owner, None)
    return filerequests.Lock(file.handle, owner, fcntl.F_UNLCK, 0, _LAST)


def _file(mount: Mount, number: int) -> File:
    file = mount.handles.files.get(number)
    if file is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    if file.error:
        raise OSError(file.error, os.strerror(file.error))
    return file
