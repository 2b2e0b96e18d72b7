"""The files of a node, by its file server."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Mapping
from typing import Final, Protocol, TypeVar

from ssi.client.files.local import temporary_beside
from ssi.client.files.tree import CHUNK_BYTES, SMALL_BYTES, Attributes, Change, OpenFile
from ssi.protocol import filereplies, filerequests
from ssi.protocol.filereplies import ATTRIBUTES, Entry, FileReply
from ssi.protocol.filerequests import MAX_DIGEST_BYTES, FileRequest

ReplyT = TypeVar("ReplyT", bound=FileReply)

MAX_LINKS: Final = 40
"""Symbolic links on the way of one path. Source: path_resolution(7)."""

RELEASED_AT_ONCE: Final = 64
_RENAME_NOREPLACE: Final = 1
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL
_NS: Final = 1_000_000_000
_SIGNED: Final = 1 << 63


class FileLost(OSError):
    """The server has forgotten an open file: it was restarted, or did not hear of us for long."""


class Asks(Protocol):
    """What carries requests to the server."""

    @property
    def users(self) -> Mapping[int, str]:
        """The node's users by id."""

    @property
    def groups(self) -> Mapping[int, str]:
        """Likewise its groups."""

    async def ask(
        self, body: FileRequest, data: bytes | memoryview = b""
    ) -> tuple[FileReply, memoryview]:
        """The reply, and the bytes behind it."""

    def tell(self, body: FileRequest) -> None:
        """Asks, and waits for nothing."""


class RemoteFile:
    """An open file of a node; see :class:`~ssi.client.files.tree.OpenFile`."""

    def __init__(
        self,
        link: Asks,
        handle: int,
        attributes: Attributes,
        content: bytes | None,
        unused: list[int],
    ) -> None:
        self.attributes = attributes
        self.content = content
        self._link, self._handle = link, handle
        self._unused = unused

    async def read(self, offset: int, size: int) -> memoryview:
        return (await self._link.ask(filerequests.Read(self._handle, offset, size)))[1]

    async def write(self, offset: int, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            reply, _ = await self._link.ask(filerequests.Write(self._handle, offset), rest)
            count = _of(reply, filereplies.Count).value
            if not count:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            rest, offset = rest[count:], offset + count

    async def digests(self, offset: int, size: int) -> list[bytes]:
        found: list[bytes] = []
        for start in range(offset, offset + size, MAX_DIGEST_BYTES):
            span = min(MAX_DIGEST_BYTES, offset + size - start)
            reply, _ = await self._link.ask(filerequests.Digest(self._handle, start, span))
            told = _of(reply, filereplies.Text).value
            found += [told[at : at + 32] for at in range(0, len(told), 32)]
        return found

    async def holds(self, offset: int, data: bytes | memoryview) -> bool:
        wanted = [
            hashlib.sha256(data[at : at + CHUNK_BYTES]).digest()
            for at in range(0, len(data), CHUNK_BYTES)
        ]
        return await self.digests(offset, len(data)) == wanted

    async def next_data(self, offset: int) -> tuple[int, int] | None:
        try:
            start = await self._seek(offset, os.SEEK_DATA)
            return start, await self._seek(start, os.SEEK_HOLE)
        except OSError as exc:
            if exc.errno == errno.ENXIO:
                return None
            raise

    async def _seek(self, offset: int, whence: int) -> int:
        reply, _ = await self._link.ask(filerequests.Seek(self._handle, offset, whence))
        return _of(reply, filereplies.Count).value

    async def resize(self, size: int) -> None:
        await self._link.ask(filerequests.SetAttributes(b"", self._handle, size=size))

    async def change(self, change: Change) -> None:
        await self._link.ask(_wanted(b"", self._handle, change))

    async def look(self) -> Attributes:
        reply, _ = await self._link.ask(filerequests.GetAttributes(self._handle))
        return attributes_of(_of(reply, Entry), self._link.users, self._link.groups)

    async def lock(self) -> bool:
        owner = secrets.randbits(63)
        lock = filerequests.Lock(self._handle, owner, fcntl.F_WRLCK, whole=True)
        try:
            await self._link.ask(lock)
        except OSError as exc:
            if exc.errno == errno.EAGAIN:
                return False
            raise
        return True

    async def close(self) -> None:
        handle, self._handle = self._handle, 0
        if handle and self.content is not None:
            self._unused.append(handle)  # many small files are given back together
        if handle and (self.content is None or len(self._unused) >= RELEASED_AT_ONCE):
            others, self._unused[:] = tuple(self._unused), ()
            self._link.tell(filerequests.Release(handle, others))


class RemoteTree:
    """All files that a node serves; see :class:`~ssi.client.files.tree.Tree`."""

    def __init__(self, node: str, user: str, home: bytes, link: Asks) -> None:
        self.node = self.written = node
        self.user, self.home = user, home
        self._link = link
        self._unused: list[int] = []

    def knows(self, user: str, group: str) -> tuple[bool, bool]:
        return user in self._link.users.values(), group in self._link.groups.values()

    async def resolve(self, path: bytes, *, follow: bool) -> bytes:
        if b".." not in path.split(b"/"):
            try:
                found = await self.look(path)
            except FileNotFoundError:
                return _whole(_parts(path))
            except OSError as exc:
                if exc.errno != errno.ELOOP:
                    raise
            else:
                if not (found.is_link and follow):
                    return _whole(_parts(path))
        return await self._walk(path, follow=follow)

    async def _walk(self, path: bytes, *, follow: bool) -> bytes:
        done: list[bytes] = []
        rest, links = _parts(path), 0
        while rest:
            part = rest.pop(0)
            if part == b"..":
                done = done[:-1]
                continue
            here = [*done, part]
            try:
                found = await self.look(_whole(here))
            except FileNotFoundError:
                if rest:
                    raise
                return _whole(here)
            if not found.is_link or not (rest or follow):
                done = here
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = await self.read_link(_whole(here))
            done = [] if target.startswith(b"/") else done
            rest = [*_parts(target), *rest]
        return _whole(done)

    async def look(self, path: bytes) -> Attributes:
        reply, _ = await self._link.ask(filerequests.Lookup(_relative(path)))
        return self._attributes(_of(reply, Entry))

    async def list(self, path: bytes) -> list[tuple[bytes, Attributes]]:
        found: list[tuple[bytes, Attributes]] = []
        request: FileRequest = filerequests.OpenDirectory(_relative(path))
        while True:
            reply, _ = await self._link.ask(request)
            listing = _of(reply, filereplies.Listing)
            found += [(name, self._attributes(entry)) for name, entry in listing.entries]
            if not listing.handle:
                return found
            request = filerequests.ListMore(listing.handle)

    async def read_link(self, path: bytes) -> bytes:
        reply, _ = await self._link.ask(filerequests.ReadLink(_relative(path)))
        return _of(reply, filereplies.Text).value

    async def open(self, path: bytes, *, ahead: bool = False) -> OpenFile:
        body = filerequests.Open(_relative(path), os.O_RDONLY, SMALL_BYTES if ahead else 0)
        reply, data = await self._link.ask(body)
        opened = _of(reply, filereplies.Opened)
        attributes = self._attributes(opened.entry)
        content = None
        if ahead and attributes.size <= SMALL_BYTES and len(data) == attributes.size:
            content = bytes(data)
        return RemoteFile(self._link, opened.handle, attributes, content, self._unused)

    async def create(self, path: bytes) -> OpenFile:
        return await self._opened(filerequests.Create(_relative(path), _NEW, 0o600))

    async def reopen(self, path: bytes) -> OpenFile:
        return await self._opened(filerequests.Open(_relative(path), os.O_RDWR))

    async def _opened(self, body: FileRequest) -> OpenFile:
        reply, _ = await self._link.ask(body)
        opened = _of(reply, filereplies.Opened)
        attributes = self._attributes(opened.entry)
        return RemoteFile(self._link, opened.handle, attributes, None, self._unused)

    async def put(self, path: bytes, data: bytes, change: Change, *, exclusive: bool) -> None:
        relative = _relative(path)
        body = filerequests.Put(
            relative,
            _relative(temporary_beside(path, secrets.token_hex(4))),
            change.mode or 0,
            change.user,
            change.group,
            change.atime_ns,
            change.mtime_ns,
            exclusive,
        )
        await self._link.ask(body, data)

    async def rename(self, path: bytes, new: bytes, *, exclusive: bool = False) -> None:
        flags = _RENAME_NOREPLACE if exclusive else 0
        await self._link.ask(filerequests.Rename(_relative(path), _relative(new), flags))

    async def unlink(self, path: bytes) -> None:
        await self._link.ask(filerequests.Unlink(_relative(path)))

    async def make_directory(self, path: bytes, mode: int) -> None:
        await self._link.ask(filerequests.MakeDirectory(_relative(path), mode))

    async def make_symlink(self, path: bytes, target: bytes) -> None:
        await self._link.ask(filerequests.MakeSymlink(_relative(path), target))

    async def make_link(self, path: bytes, new: bytes) -> None:
        await self._link.ask(filerequests.MakeLink(_relative(path), _relative(new)))

    async def make_node(self, path: bytes, mode: int, device: int) -> None:
        major, minor = os.major(device), os.minor(device)
        packed = (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)
        await self._link.ask(filerequests.MakeNode(_relative(path), mode, packed))

    async def change(self, path: bytes, change: Change) -> None:
        await self._link.ask(_wanted(_relative(path), 0, change))

    async def extended(self, path: bytes) -> dict[bytes, bytes]:
        relative = _relative(path)
        reply, _ = await self._link.ask(filerequests.ListExtended(relative))
        found = {}
        for name in _of(reply, filereplies.Text).value.split(b"\0")[:-1]:
            reply, _ = await self._link.ask(filerequests.GetExtended(relative, name))
            found[name] = _of(reply, filereplies.Text).value
        return found

    async def set_extended(self, path: bytes, name: bytes, value: bytes) -> None:
        await self._link.ask(filerequests.SetExtended(_relative(path), name, value))

    async def free_bytes(self, path: bytes) -> int:
        reply, _ = await self._link.ask(filerequests.GetSpace(_relative(path)))
        space = _of(reply, filereplies.Space)
        return space.available * space.fragment_bytes

    def _attributes(self, entry: Entry) -> Attributes:
        return attributes_of(entry, self._link.users, self._link.groups)


def attributes_of(entry: Entry, users: Mapping[int, str], groups: Mapping[int, str]) -> Attributes:
    """Attributes as a file server tells them."""
    (
        ino,
        size,
        blocks,
        atime,
        mtime,
        _,
        atime_ns,
        mtime_ns,
        _,
        mode,
        links,
        uid,
        gid,
        device,
        *_,
    ) = ATTRIBUTES.unpack(entry.attributes)
    return Attributes(
        mode=mode,
        size=size,
        atime_ns=_seconds(atime) * _NS + atime_ns,
        mtime_ns=_seconds(mtime) * _NS + mtime_ns,
        uid=uid,
        gid=gid,
        user=users.get(uid, ""),
        group=groups.get(gid, ""),
        links=links,
        identity=(entry.device, ino),
        device=os.makedev((device >> 8) & 0xFFF, (device & 0xFF) | ((device >> 12) & 0xFFF00)),
        blocks=blocks,
        plain=entry.plain,
    )


def _seconds(value: int) -> int:
    """Seconds that may lie before 1970."""
    return value - 2 * _SIGNED if value >= _SIGNED else value


def _wanted(path: bytes, handle: int, change: Change) -> filerequests.SetAttributes:
    return filerequests.SetAttributes(
        path,
        handle,
        change.mode,
        change.user,
        change.group,
        None,
        change.atime_ns,
        change.mtime_ns,
    )


def _of(reply: FileReply, kind: type[ReplyT]) -> ReplyT:
    if not isinstance(reply, kind):
        raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))
    return reply


def _parts(path: bytes) -> list[bytes]:
    return [part for part in path.split(b"/") if part not in {b"", b"."}]


def _whole(parts: list[bytes]) -> bytes:
    return b"/" + b"/".join(parts)


def _relative(path: bytes) -> bytes:
    return b"/".join(_parts(path))
