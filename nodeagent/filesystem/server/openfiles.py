"""What is done with open files. A file is used as the user who opened it."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from typing import Final

import msgspec

from nodeagent.filesystem.server.credentials import Identity
from nodeagent.filesystem.server.exports import Rule
from nodeagent.filesystem.server.paths import Paths, change, refusal
from nodeagent.filesystem.server.session import OpenFile, Rest, Session
from nodeagent.filesystem.server.tree import reopened
from nodeagent.mechanism.digest import sha256
from ssi.protocol.filereplies import Count, Entry, Listing, Nothing, Opened, Text
from ssi.protocol.filerequests import (
    DIGEST_CHUNK_BYTES,
    MAX_DATA_BYTES,
    MAX_DIGEST_BYTES,
    Allocate,
    CopyRange,
    Create,
    Digest,
    GetAttributes,
    ListMore,
    Open,
    OpenDirectory,
    Read,
    Release,
    Seek,
    SetAttributes,
    Sync,
    Write,
)

_libc: Final = ctypes.CDLL(None, use_errno=True)

LISTED_AT_ONCE: Final = 1000
"""Names in one answer."""

MAX_AHEAD_BYTES: Final = 128 * 1024

_TAKEN: Final = (
    os.O_ACCMODE | os.O_APPEND | os.O_TRUNC | os.O_EXCL | os.O_SYNC | os.O_DSYNC | os.O_NOATIME
)
_ALWAYS: Final = os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_OPENED_BY_DESCRIPTOR: Final = _TAKEN & ~os.O_EXCL
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_TRUNC | os.O_APPEND
_SPECIAL: Final = stat.S_ISUID | stat.S_ISGID


class OpenFiles:
    """Everything that names a file by a handle, and what makes handles."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def open(self, session: Session, body: Open, identity: Identity) -> Opened:
        """Opens what is a regular file; devices and fifos belong to the client's kernel."""
        rule = self._paths.seen(body.path)
        if body.flags & _WRITES and rule is not Rule.WRITE:
            raise refusal(errno.EROFS)
        with self._paths.tree.at(body.path) as place:
            mode = os.fstat(place).st_mode
            if not stat.S_ISREG(mode):
                raise refusal(errno.EISDIR if stat.S_ISDIR(mode) else errno.ENXIO)
            flags = body.flags & _OPENED_BY_DESCRIPTOR | _ALWAYS
            descriptor = os.open(reopened(place), flags)
        return self._keep(session, descriptor, identity, body.flags)

    def ahead(self, session: Session, body: Open, opened: Opened) -> bytes:
        """All of a small file that was just opened: to read it is the next thing asked for."""
        size = int.from_bytes(opened.entry.attributes[8:16], "little")
        if not 0 < size <= min(body.ahead, MAX_AHEAD_BYTES):
            return b""
        try:
            with session.file(opened.handle).use() as descriptor:
                data = os.pread(descriptor, size, 0)
        except OSError:
            return b""  # to read it will tell
        return data if len(data) == size else b""

    def create(self, session: Session, body: Create, identity: Identity) -> Opened:
        self._paths.changed(body.path)
        flags = body.flags & _TAKEN | _ALWAYS | os.O_CREAT | os.O_NOFOLLOW
        descriptor = self._paths.tree.open(body.path, flags, body.mode & 0o7777)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise refusal(errno.EEXIST)
        return self._keep(session, descriptor, identity, body.flags)

    def _keep(self, session: Session, descriptor: int, identity: Identity, flags: int) -> Opened:
        entry = self._paths.entries.of_open(descriptor)
        writable = flags & os.O_ACCMODE != os.O_RDONLY
        handle = session.keep(OpenFile(descriptor, identity, writable=writable))
        return Opened(handle, entry)

    def read(self, session: Session, body: Read) -> bytes:
        """At most :data:`~ssi.protocol.filerequests.MAX_DATA_BYTES`, fewer only at the end."""
        with session.file(body.handle).use() as descriptor:
            return os.pread(descriptor, min(body.size, MAX_DATA_BYTES), body.offset)

    def write(self, session: Session, body: Write, data: memoryview) -> Count:
        with session.file(body.handle).use() as descriptor:
            written = error = 0
            while written < len(data):
                try:
                    written += os.pwrite(descriptor, data[written:], body.offset + written)
                except OSError as exc:
                    if written:
                        error = exc.errno or errno.EIO
                        break
                    raise
            if body.strip:
                mode = os.fstat(descriptor).st_mode
                # Without execution by the group it is the mark of mandatory locks, and stays.
                special = _SPECIAL if mode & stat.S_IXGRP else stat.S_ISUID
                if mode & special:
                    os.fchmod(descriptor, stat.S_IMODE(mode) & ~special)
            return Count(written, error)

    def digest(self, session: Session, body: Digest) -> Text:
        with session.file(body.handle).use() as descriptor:
            offset, end = body.offset, body.offset + min(body.size, MAX_DIGEST_BYTES)
            digests = []
            while offset < end:
                chunk = os.pread(descriptor, min(DIGEST_CHUNK_BYTES, end - offset), offset)
                if not chunk:
                    break
                digests.append(sha256(chunk).digest())
                offset += DIGEST_CHUNK_BYTES
        return Text(b"".join(digests))

    def sync(self, session: Session, body: Sync) -> Nothing:
        with session.file(body.handle).use() as descriptor:
            if body.data_only:
                os.fdatasync(descriptor)
            else:
                os.fsync(descriptor)
        return Nothing()

    def release(self, session: Session, body: Release) -> Nothing:
        for handle in (body.handle, *body.others):
            session.release(handle)
        return Nothing()

    def attributes(self, session: Session, body: GetAttributes) -> Entry:
        with session.file(body.handle).use() as descriptor:
            return self._paths.entries.of_open(descriptor)

    def set_attributes(self, session: Session, body: SetAttributes) -> Entry:
        file = session.file(body.handle)
        with file.use() as descriptor:
            if body.size is not None and not file.writable:
                raise refusal(errno.EBADF)
            change(descriptor, os.fstat(descriptor), body)
            return self._paths.entries.of_open(descriptor)

    def allocate(self, session: Session, body: Allocate) -> Nothing:
        with session.file(body.handle).use() as descriptor:
            result = _libc.fallocate(
                ctypes.c_int(descriptor),
                ctypes.c_int(body.mode),
                ctypes.c_int64(body.offset),
                ctypes.c_int64(body.length),
            )
            if result != 0:
                raise refusal(ctypes.get_errno())
        return Nothing()

    def seek(self, session: Session, body: Seek) -> Count:
        if body.whence not in {os.SEEK_DATA, os.SEEK_HOLE}:
            raise refusal(errno.EINVAL)
        with session.file(body.handle).use() as descriptor:
            return Count(os.lseek(descriptor, body.offset, body.whence))

    def copy(self, session: Session, body: CopyRange) -> Count:
        with (
            session.file(body.handle).use() as source,
            session.file(body.target).use() as target,
        ):
            length = min(body.length, 16 * MAX_DATA_BYTES)
            done = os.copy_file_range(source, target, length, body.offset, body.target_offset)
        return Count(done)

    # Listings

    def open_directory(self, session: Session, body: OpenDirectory, identity: Identity) -> Listing:
        found = self._paths.names(body.path, body.known)
        told = self._listed(session, Rest(body.path, list(found.names), identity), 0)
        return msgspec.structs.replace(
            told, folder=found.folder, steady=found.steady, same=found.same
        )

    def list_more(self, session: Session, body: ListMore) -> Listing:
        rest = session.rests.get(body.handle)
        if rest is None:
            raise refusal(errno.EBADF)
        return self._listed(session, rest, body.handle)

    def _listed(self, session: Session, rest: Rest, handle: int) -> Listing:
        names, rest.names = rest.names[:LISTED_AT_ONCE], rest.names[LISTED_AT_ONCE:]
        entries = self._paths.entries_in(rest.path, names) if names else []
        if not rest.names:
            session.rests.pop(handle, None)
            return Listing(0, entries)
        return Listing(handle or session.keep_rest(rest), entries)
