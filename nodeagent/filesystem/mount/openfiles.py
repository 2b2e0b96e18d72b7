"""Open files, as the kernel uses them."""

from __future__ import annotations

import errno
import os
import time
from typing import Final

from nodeagent.filesystem.fuse import abi, replies, requests
from nodeagent.filesystem.fuse.abi import OpenFlag
from nodeagent.filesystem.fuse.requests import Body, Header
from nodeagent.filesystem.mount import locking
from nodeagent.filesystem.mount.handles import File
from nodeagent.filesystem.mount.mount import Mount
from nodeagent.filesystem.mount.nodes import Node, Stale
from nodeagent.filesystem.mount.ordering import in_order
from nodeagent.filesystem.mount.secondlooks import LED_ELSEWHERE
from ssi.protocol import filereplies, filerequests
from ssi.protocol.filereplies import FileReply

AHEAD_BYTES: Final = 128 * 1024
"""A file of at most this size is read as it is opened."""

AHEAD_S: Final = 1.0

_KEEP_CACHE: Final = int(OpenFlag.KEEP_CACHE)
_DIRECT_IO: Final = int(OpenFlag.DIRECT_IO)
_NOFLUSH: Final = int(OpenFlag.NOFLUSH)
_KEEP_SIZE: Final = 1
"""``FALLOC_FL_KEEP_SIZE`` of fallocate(2)."""


def open_file(mount: Mount, header: Header, body: Body) -> None:
    """OPEN. What was cached of the file is kept where it has not changed since."""
    assert isinstance(body, requests.Open)
    node = mount.nodes.get(header.node)
    after = None if body.flags & os.O_TRUNC else node
    in_order(mount, header, after, lambda: _open(mount, header, node, body))


def _open(mount: Mount, header: Header, node: Node, body: requests.Open) -> None:
    path, user = mount.nodes.path(node), mount.server.asker(header)
    changes, asked_s = node.changes, time.monotonic()

    def opened(reply: FileReply, payload: memoryview | bytes) -> None:
        assert isinstance(reply, filereplies.Opened)
        try:
            mount.beliefs.check_same(node, reply.entry)
        except Stale:
            mount.server.tell(filerequests.Release(reply.handle))
            mount.second_looks.expect(node, body.flags, user)
            raise
        before = node.told
        same = _content(mount.told(node, reply.entry)) == _content(before)
        if not same:
            mount.notify(replies.forget_attributes(node.number))
        unheard = _closes_unheard(node, body.flags)
        file = _keep(mount, header, node, reply.handle, body.flags, unheard=unheard)
        if payload and node.changes == changes:
            file.ahead, file.ahead_of = bytes(payload), _state(node)
            file.ahead_until_s = asked_s + AHEAD_S
        if body.flags & os.O_TRUNC:
            node.written_to = 0
        flags = _KEEP_CACHE if same and not body.flags & os.O_TRUNC else 0
        if file.closes_unheard:
            flags |= _NOFLUSH
        mount.reply(header, replies.opened(file.number, flags | _whole_appends(body.flags)))

    def failed(error: int) -> None:
        if error in LED_ELSEWHERE:
            mount.beliefs.changed(node)
            mount.second_looks.expect(node, body.flags, user)
            error = errno.ESTALE
        mount.fail(header, error)

    if body.flags & os.O_TRUNC:
        mount.beliefs.changed(node)
    looked = mount.second_looks.take(node, body.flags, user)
    if looked is not None and looked.opened is not None:
        opened(looked.opened, looked.payload)
        return
    asked = filerequests.Open(path, body.flags, bytes_ahead(mount, node, body.flags))
    mount.server.ask(header, asked, opened, failed=failed)


def _closes_unheard(node: Node, flags: int) -> bool:
    """Whether the kernel need not ask at each close(2) of a file, for which its program waits.

    Of a file that is only read nothing is to be told then, but that its fcntl(2) locks end, which
    few programs take by such a descriptor: what becomes of theirs see
    :func:`~nodeagent.filesystem.mount.locking.give_back`.
    """
    return not flags & os.O_ACCMODE and not node.was_locked


def _whole_appends(flags: int) -> int:
    """Each write to the end of a file in one request: it is atomic among all nodes.

    Through its cache the kernel would send a write that goes over the end of a page in two
    (``fuse_fill_write_pages`` in Linux), and another node's could come between them.
    """
    return _DIRECT_IO if flags & os.O_APPEND else 0


def bytes_ahead(mount: Mount, node: Node | None, flags: int) -> int:
    """Up to which size a file is to come along as it is opened: the kernel will read it next.

    Args:
        mount: Which may be to ask for nothing beforehand.
        node: The file; None where it is not known which one it will be.
        flags: Of open(2).
    """
    if flags & (os.O_ACCMODE | os.O_DIRECT | os.O_TRUNC) or not mount.options.prefetch:
        return 0
    has_it = node is not None and node.told and node.given == _content(node.told)
    return 0 if has_it else AHEAD_BYTES


def _content(attributes: bytes) -> tuple[bytes, bytes]:
    """Size, mtime and ctime: what tells that a file is as it was."""
    return attributes[8:16] + attributes[32:48], attributes[52:60]


def _state(node: Node) -> object:
    """What differs once the content of a file has changed, as far as is known here."""
    return node.changes, _content(node.told)


def create(mount: Mount, header: Header, body: Body) -> None:
    """CREATE."""
    assert isinstance(body, requests.Create)
    folder = mount.nodes.get(header.node)
    path = mount.nodes.child_path(folder, body.name)
    mount.beliefs.name_changed(folder, body.name)
    changes = folder.changes

    def created(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Opened)
        is_only = folder.changes == changes
        mount.beliefs.name_changed(folder, body.name, reply.entry)
        if is_only and reply.entry.above:
            mount.told_of_folder(folder, reply.entry.above)
        node, entry = mount.entry(folder, body.name, reply.entry)
        # Its name is not on the server's disk either.
        file = _keep(mount, header, node, reply.handle, body.flags, unsynced=True)
        node.maker = file.number
        mount.reply(header, entry, replies.opened(file.number, _whole_appends(body.flags)))

    mount.server.ask(header, filerequests.Create(path, body.flags, body.mode), created, once=True)


def _keep(
    mount: Mount,
    header: Header,
    node: Node,
    handle: int,
    flags: int,
    *,
    unsynced: bool = False,
    unheard: bool = False,
) -> File:
    user, group = mount.server.asker(header)
    file = File(mount.handles.next(), handle, node, flags, user, group, unsynced)
    file.closes_unheard = unheard
    mount.handles.files[file.number] = file
    mount.memory.opened(file)
    return file


def _file(mount: Mount, number: int) -> File:
    file = mount.handles.files.get(number)
    if file is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return file


def read(mount: Mount, header: Header, body: Body) -> None:
    """READ."""
    assert isinstance(body, requests.Read)
    file = _file(mount, body.handle)
    size = min(body.size, filerequests.MAX_DATA_BYTES)
    if file.ahead:
        data, end = file.ahead, body.offset + size
        same = file.ahead_of == _state(file.node)
        fresh = same and time.monotonic() < file.ahead_until_s
        if end >= len(data) or not fresh:
            file.ahead = b""  # the kernel keeps it
        if fresh:
            file.node.given = _content(file.node.told)
            mount.reply(header, data[body.offset : end])
            return

    def done(_reply: FileReply, payload: memoryview) -> None:
        file.node.given = _content(file.node.told)
        mount.reply(header, payload)

    mount.server.ask(
        header, filerequests.Read(file.handle, body.offset, size), done, as_opener=file
    )


def write(mount: Mount, header: Header, body: Body) -> None:
    """WRITE, which is answered at once, or when the server's kernel has it."""
    assert isinstance(body, requests.Write)
    file = _file(mount, body.handle)
    mount.beliefs.changed(file.node)
    if not file.unsynced:
        file.unsynced = True
        mount.memory.opened(file)
    if not mount.settings.holds(file.node) and mount.behind.take(header, file, body):
        return
    body = body._replace(data=memoryview(bytes(body.data)))  # it may have to wait
    in_order(mount, header, None, lambda: _write_through(mount, header, file, body))


def _write_through(mount: Mount, header: Header, file: File, body: requests.Write) -> None:
    """Writes, and answers once the server's kernel has it."""
    failure = file.failure
    is_cached = body.flags & abi.WRITE_CACHE  # and nobody would hear of it
    if failure is not None and not failure.is_told_by_write and not is_cached:
        failure.is_told_by_write = True
        mount.fail(header, failure.error)
        return

    def done(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Count)
        mount.beliefs.changed(file.node)
        file.node.note_written(body.offset + reply.value)
        mount.reply(header, replies.written(reply.value))

    strip = bool(body.flags & abi.WRITE_KILL_SUIDGID)
    asked = filerequests.Write(file.handle, body.offset, strip)
    once = bool((file.flags | body.open_flags) & os.O_APPEND)
    mount.server.ask(header, asked, done, data=body.data, as_opener=file, once=once)


def flush(mount: Mount, header: Header, body: Body) -> None:
    """FLUSH: some descriptor was closed, and with it fcntl(2) locks of its process end."""
    assert isinstance(body, requests.Flush)
    file = _file(mount, body.handle)
    in_order(mount, header, _written(file), lambda: _flush(mount, header, file, body.owner))


def _written(file: File) -> Node | None:
    """Whose writes come before an open file is closed: all, where its locks end with that."""
    return None if file.lock_owners or file.has_flock else file.node


def _flush(mount: Mount, header: Header, file: File, owner: int) -> None:
    error = _told(mount, file)
    failure = file.failure
    failed = 0
    if failure is not None and owner not in failure.told:
        failure.told.add(owner)
        failed = failure.error

    def done() -> None:
        if failed:
            mount.fail(header, failed)
        else:
            mount.reply(header)

    if error:
        mount.fail(header, error)
    elif owner in file.lock_owners:
        locking.release_all(mount, header, file, owner, done)
    else:
        done()


def _told(mount: Mount, file: File) -> int:
    """What is to be told of a file, once; but for as long as it is open where it lost a lock."""
    error = file.error
    if error and not file.lock_owners and not file.has_flock:
        file.error = 0
        mount.memory.opened(file)
    return error


def release(mount: Mount, header: Header, body: Body) -> None:
    """RELEASE: nobody holds the file open any more."""
    assert isinstance(body, requests.Release)
    file = mount.handles.files.get(body.handle)
    if file is None:
        mount.reply(header)
    else:
        in_order(mount, header, _written(file), lambda: _release(mount, header, file))


def _release(mount: Mount, header: Header, file: File) -> None:
    if file.lock_owners:  # whose close the kernel did not tell

        def go_on(_error: int = 0) -> None:
            _release(mount, header, file)

        owner = next(iter(file.lock_owners))
        locking.release_all(mount, header, file, owner, go_on, failed=go_on)
        return
    mount.handles.files.pop(file.number, None)
    if file.node.maker == file.number:
        file.node.maker = 0
    mount.reply(header)
    mount.memory.closed(file.number)
    mount.server.released.add(file)


def sync(mount: Mount, header: Header, body: Body) -> None:
    """FSYNC."""
    assert isinstance(body, requests.Sync)
    file = _file(mount, body.handle)
    error = _told(mount, file)
    if file.failure is not None:
        error, file.failure = error or file.failure.error, None
        mount.memory.opened(file)
    if error:
        mount.fail(header, error)
        return

    def done(_reply: FileReply, _payload: memoryview) -> None:
        file.unsynced = False
        mount.reply(header)

    data_only = bool(body.flags & abi.FSYNC_DATA_ONLY)
    mount.server.ask(header, filerequests.Sync(file.handle, data_only), done, as_opener=file)


def allocate(mount: Mount, header: Header, body: Body) -> None:
    """FALLOCATE."""
    assert isinstance(body, requests.Allocate)
    file = _file(mount, body.handle)

    def done(_reply: FileReply, _payload: memoryview) -> None:
        mount.beliefs.changed(file.node)
        file.node.note_written(0 if body.mode & _KEEP_SIZE else body.offset + body.length)
        mount.reply(header)

    asked = filerequests.Allocate(file.handle, body.mode, body.offset, body.length)
    mount.server.ask(header, asked, done, as_opener=file)


def seek(mount: Mount, header: Header, body: Body) -> None:
    """LSEEK, to data or to a hole."""
    assert isinstance(body, requests.Seek)
    file = _file(mount, body.handle)

    def done(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Count)
        mount.reply(header, replies.offset(reply.value))

    mount.server.ask(
        header, filerequests.Seek(file.handle, body.offset, body.whence), done, as_opener=file
    )


def copy(mount: Mount, header: Header, body: Body) -> None:
    """COPY_FILE_RANGE, within the server.

    Where the server has forgotten either file the kernel copies by reading and writing, by which
    they are opened again: that is what ``EXDEV`` makes it do.
    """
    assert isinstance(body, requests.Copy)
    source, target = _file(mount, body.handle), _file(mount, body.target)
    if source.is_lost or target.is_lost:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    target.unsynced = True

    def done(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Count)
        mount.beliefs.changed(target.node)
        target.node.note_written(body.target_offset + reply.value)
        mount.reply(header, replies.written(reply.value))

    asked = filerequests.CopyRange(
        source.handle, body.offset, target.handle, body.target_offset, body.length
    )
    mount.server.ask(header, asked, done, as_opener=source)
