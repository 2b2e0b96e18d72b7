"""Attributes that programs set."""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import Final

from nodeagent.filesystem.fuse import replies, requests
from nodeagent.filesystem.fuse.abi import Valid
from nodeagent.filesystem.fuse.requests import Body, Header
from nodeagent.filesystem.mount.mount import Mount
from nodeagent.filesystem.mount.nodes import Node, Stale
from nodeagent.filesystem.mount.ordering import in_order
from ssi.protocol import filerequests
from ssi.protocol.filereplies import ATTRIBUTES, Entry, FileReply

# Plain numbers: to ask an IntFlag for a bit takes ten times as long, and is asked for 13 each time.
_MODE: Final = int(Valid.MODE)
_UID: Final = int(Valid.UID)
_GID: Final = int(Valid.GID)
_SIZE: Final = int(Valid.SIZE)
_ATIME: Final = int(Valid.ATIME)
_MTIME: Final = int(Valid.MTIME)
_HANDLE: Final = int(Valid.FH)
_ATIME_NOW: Final = int(Valid.ATIME_NOW)
_MTIME_NOW: Final = int(Valid.MTIME_NOW)


def set_attributes(mount: Mount, header: Header, body: Body) -> None:
    """SETATTR, which is answered at once, or when the server has set them."""
    assert isinstance(body, requests.SetAttr)
    node = mount.nodes.get(header.node)
    user, group = mount.server.asker(header)
    if mount.settings.take(node, _asked(mount, body, b"", 0), user, group):
        node.told = _expected(node, body)
        # Not to be believed: by the server's clock they may be others.
        mount.reply(header, replies.attributes(node.told, 0.0))
    else:
        in_order(mount, header, None, lambda: _set_through(mount, header, node, body))


def _set_through(mount: Mount, header: Header, node: Node, body: requests.SetAttr) -> None:
    """Sets, and answers once the server has done so."""
    valid = body.valid
    file = mount.handles.files.get(body.handle) if valid & _HANDLE else None
    path = b""
    if file is None:
        try:
            path = mount.nodes.path(node)
        except Stale:
            file = mount.handles.of_node(node, writable=bool(valid & _SIZE))
            if file is None:
                raise
    asked = _asked(mount, body, path, file.handle if file is not None else 0)

    def done(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, Entry)
        mount.beliefs.changed(node)
        if valid & _SIZE:
            node.written_to = body.size
            if file is not None:
                file.unsynced = True
        mount.settings.was_set(node, asked, mount.server.asker(header)[0])
        attributes = mount.told(node, reply)
        mount.reply(header, replies.attributes(attributes, mount.options.attributes_s))

    # Of an open file only its size is set as whoever opened it: all else is the caller's deed.
    mount.server.ask(header, asked, done, as_opener=file)


def _asked(
    mount: Mount, body: requests.SetAttr, path: bytes, handle: int
) -> filerequests.SetAttributes:
    valid = body.valid
    return filerequests.SetAttributes(
        path,
        handle,
        body.mode if valid & _MODE else None,
        _name(mount.accounts.user_name(body.uid)) if valid & _UID else None,
        _name(mount.accounts.group_name(body.gid)) if valid & _GID else None,
        body.size if valid & _SIZE else None,
        _time(valid, _ATIME, _ATIME_NOW, body.atime_ns),
        _time(valid, _MTIME, _MTIME_NOW, body.mtime_ns),
    )


def _name(name: str | None) -> str:
    if name is None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return name


def _time(valid: int, given: int, now: int, value_ns: int) -> int | None:
    if valid & now:
        return -1
    return value_ns if valid & given else None


def _expected(node: Node, body: requests.SetAttr) -> bytes:
    """What the attributes become, but for the time of that change."""
    (ino, size, blocks, atime_s, mtime_s, ctime_s, atime_ns, mtime_ns, ctime_ns, mode, links, uid,
     gid, device, block_bytes, flags) = ATTRIBUTES.unpack(node.told)  # fmt: skip
    valid, now_ns = body.valid, time.time_ns()
    if valid & (_UID | _GID):
        uid = body.uid if valid & _UID else uid
        gid = body.gid if valid & _GID else gid
        mode &= ~(stat.S_ISUID | (stat.S_ISGID if mode & stat.S_IXGRP else 0))
    if valid & _MODE:
        mode = stat.S_IFMT(mode) | stat.S_IMODE(body.mode)
    if valid & (_ATIME | _ATIME_NOW):
        value_ns = now_ns if valid & _ATIME_NOW else body.atime_ns
        atime_s, atime_ns = _packed_time(value_ns)
    if valid & (_MTIME | _MTIME_NOW):
        value_ns = now_ns if valid & _MTIME_NOW else body.mtime_ns
        mtime_s, mtime_ns = _packed_time(value_ns)
    return ATTRIBUTES.pack(
        ino, max(size, node.written_to), blocks, atime_s, mtime_s, ctime_s, atime_ns, mtime_ns,
        ctime_ns, mode, links, uid, gid, device, block_bytes, flags,
    )  # fmt: skip


def _packed_time(value_ns: int) -> tuple[int, int]:
    seconds, nanoseconds = divmod(value_ns, 1_000_000_000)
    return seconds & (1 << 64) - 1, nanoseconds  # those before 1970 are negative
