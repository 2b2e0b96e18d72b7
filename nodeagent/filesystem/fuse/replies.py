"""Answers to the kernel, from values to bytes. Pure."""

from __future__ import annotations

import struct
from typing import Final

from nodeagent.filesystem.fuse.abi import MAJOR, MAX_PAGES, MAX_WRITE_BYTES, MINOR, Notify

HEADER: Final = struct.Struct("=IiQ")
_ENTRY: Final = struct.Struct("=QQQQII")
_ATTR: Final = struct.Struct("=QII")
_OPEN: Final = struct.Struct("=QII")
_U32: Final = struct.Struct("=II")
_U64: Final = struct.Struct("=Q")
_STATFS: Final = struct.Struct("=QQQQQIIII24x")
_LOCK: Final = struct.Struct("=QQII")
_INIT: Final = struct.Struct("=IIIIHHIIHHII24x")
_ENTRY_NAME: Final = struct.Struct("=QQII")
_INVAL_INODE: Final = struct.Struct("=Qqq")

MAX_BACKGROUND: Final = 64
CONGESTION: Final = 48


def header(unique: int, error: int, payload_bytes: int) -> bytes:
    """What every answer begins with; ``error`` is 0 or an errno(3)."""
    return HEADER.pack(HEADER.size + payload_bytes, -error, unique)


def initialised(minor: int, readahead_bytes: int, flags: int) -> bytes:
    """What was agreed on."""
    return _INIT.pack(
        MAJOR, min(minor, MINOR), readahead_bytes, flags & 0xFFFFFFFF, MAX_BACKGROUND,
        CONGESTION, MAX_WRITE_BYTES, 1, MAX_PAGES, 0, flags >> 32, 0,
    )  # fmt: skip


def entry(node: int, attributes: bytes, entry_s: float, attributes_s: float) -> bytes:
    """An inode with its attributes, and for how long name and attributes may be remembered."""
    entry_ns, attributes_ns = int(entry_s % 1 * 1e9), int(attributes_s % 1 * 1e9)
    times = (int(entry_s), int(attributes_s), entry_ns, attributes_ns)
    return _ENTRY.pack(node, 0, *times) + attributes


def absent(valid_s: float) -> bytes:
    """A name that leads nowhere, and for how long that may be remembered."""
    return _ENTRY.pack(0, 0, int(valid_s), 0, int(valid_s % 1 * 1e9), 0) + bytes(88)


def attributes(packed: bytes, valid_s: float) -> bytes:
    """Attributes, and for how long they may be remembered."""
    return _ATTR.pack(int(valid_s), int(valid_s % 1 * 1e9), 0) + packed


def opened(handle: int, flags: int) -> bytes:
    """An open file or directory."""
    return _OPEN.pack(handle, flags, 0)


def written(count: int) -> bytes:
    """How many bytes were taken; also the size of extended attributes."""
    return _U32.pack(count, 0)


def offset(value: int) -> bytes:
    """An offset in a file."""
    return _U64.pack(value)


def space(
    blocks: int, free: int, available: int, files: int, files_free: int, block_bytes: int,
    name_bytes: int, fragment_bytes: int,
) -> bytes:  # fmt: skip
    """How full a file system is."""
    return _STATFS.pack(
        blocks, free, available, files, files_free, block_bytes, name_bytes, fragment_bytes, 0
    )


def lock(start: int, end: int, kind: int, pid: int) -> bytes:
    """A lock that is in the way."""
    return _LOCK.pack(start, end, kind, pid)


def name(ino: int, next_offset: int, text: bytes, mode: int) -> bytes:
    """One name of a directory."""
    padding = b"\0" * (-len(text) % 8)
    return _ENTRY_NAME.pack(ino, next_offset, len(text), mode >> 12 & 15) + text + padding


def name_bytes(text: bytes) -> int:
    """How long that becomes."""
    return _ENTRY_NAME.size + len(text) + (-len(text) % 8)


ENTRY_BYTES: Final = _ENTRY.size + 88


def forget_attributes(node: int) -> bytes:
    """Tells the kernel to ask for the attributes of an inode again; pages stay."""
    payload = _INVAL_INODE.pack(node, -1, 0)
    return _notice(Notify.INVAL_INODE, payload)


def resend() -> bytes:
    """Tells the kernel to send again what it has had no answer to."""
    return _notice(Notify.RESEND, b"")


def _notice(kind: Notify, payload: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(payload), kind, 0) + payload
