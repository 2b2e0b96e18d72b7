"""What a worker writes down, so that the next one knows what the kernel knows.

The kernel names inodes and open files by our numbers for as long as a mount lives. Each change of
them is appended to a file in memory before the kernel is answered; a record holds all of one
inode or file, so the last one counts.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from ssi.model.unreadable import UNREADABLE
from ssi.protocol.filerequests import SetAttributes

_LENGTH: Final = struct.Struct("<I")
COMPACT_ABOVE_BYTES: Final = 4 * 1024 * 1024


class SessionRecord(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """Which session the mount has with its server, and which run of its kernel that was."""

    session: bytes
    boot: str = ""


class NodeRecord(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """An inode; without lookups it was forgotten. ``parent`` is 0 where it has no path."""

    number: int
    device: int
    ino: int
    parent: int
    name: bytes
    lookups: int


class FileRecord(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """An open file.

    Attributes:
        failure: The errno of what was said to be done, or 0.
        setting: What was said to be set, and the server has not answered.
        closes_unheard: As of :class:`~nodeagent.filesystem.mount.handles.File`.
        takers: Likewise, owners and processes.
        is_lost: The server has forgotten the handle, whose number may be another file's by now.
        error: What its next close or fsync tells, or 0.
    """

    number: int
    handle: int
    node: int
    flags: int
    user: str
    group: str
    unsynced: bool = False
    lock_owners: tuple[int, ...] = ()
    has_flock: bool = False
    failure: int = 0
    setting: SetAttributes | None = None
    closes_unheard: bool = False
    takers: tuple[tuple[int, int], ...] = ()
    is_lost: bool = False
    error: int = 0


class DirectoryRecord(msgspec.Struct, frozen=True, array_like=True, tag="d"):
    """An open directory."""

    number: int
    node: int
    user: str
    group: str


class ClosedRecord(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """A file or directory was closed."""

    number: int


Record: TypeAlias = SessionRecord | NodeRecord | FileRecord | DirectoryRecord | ClosedRecord

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Record)


class Journal:
    """Appends to a file, and writes it anew once most of it is history."""

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size
        self._compact_at = max(COMPACT_ABOVE_BYTES, 4 * self._size)

    @property
    def is_long(self) -> bool:
        """Whether it is time for :meth:`replace`."""
        return self._size > self._compact_at

    def append(self, records: Iterable[Record]) -> None:
        """Writes records down, all or none as far as a reader sees."""
        data = b"".join(_framed(record) for record in records)
        os.write(self._descriptor, data)
        self._size += len(data)

    def replace(self, records: Iterable[Record]) -> None:
        """Writes all that counts anew."""
        fresh = self._path.with_suffix(".new")
        data = b"".join(_framed(record) for record in records)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(fresh, flags, 0o600)
        os.write(descriptor, data)
        fresh.replace(self._path)
        os.close(self._descriptor)
        self._descriptor, self._size = descriptor, len(data)
        self._compact_at = max(COMPACT_ABOVE_BYTES, 4 * self._size)

    def close(self) -> None:
        """Writes nothing any more."""
        os.close(self._descriptor)


def read_journal(data: bytes) -> list[Record]:
    """The records of a journal; one that was cut off at the end does not count."""
    records: list[Record] = []
    at = 0
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        record = data[at + _LENGTH.size : at + _LENGTH.size + length]
        if len(record) < length:
            break
        try:
            records.append(_decoder.decode(record))
        except UNREADABLE:
            break
        at += _LENGTH.size + length
    return records


def _framed(record: Record) -> bytes:
    encoded = _encoder.encode(record)
    return _LENGTH.pack(len(encoded)) + encoded
