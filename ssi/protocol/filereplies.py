"""What a file server answers: one closed union.

``docs/protocol.md``, section 12, is the authority.
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias

import msgspec

ATTRIBUTES: Final = struct.Struct("<QQQQQQIIIIIIIIII")
"""Attributes of a file: ino, size, blocks, seconds of atime, mtime, ctime, their nanoseconds,
mode, nlink, uid, gid, rdev, block size, flags. It is what the kernel's FUSE takes, so most
attributes reach it without being unpacked."""


class _Reply(msgspec.Struct, frozen=True, array_like=True):
    """What all replies share."""


class Welcome(_Reply, frozen=True, tag="welcome"):
    """The session stands.

    Attributes:
        boot: Names the run of the server's kernel; another one has lost what was not synced.
        kept: Whether the session was there already, with its open files.
        users: Ids of the server by name.
        groups: Likewise.
        lease_s: After so long without a request the session ends.
        window_requests: So many requests may be under way.
        window_bytes: So many bytes of reads and writes.
        direct_port: Where direct connections are made; 0 where there are none.
        takes_released: Whether a request may tell what is not needed any more.
        tells_underway: Whether the server tells which requests it is about to answer.
    """

    boot: str
    kept: bool
    users: dict[int, str]
    groups: dict[int, str]
    lease_s: float
    window_requests: int
    window_bytes: int
    direct_port: int = 0
    takes_released: bool = False
    tells_underway: bool = False


class Underway(_Reply, frozen=True, tag="underway"):
    """These of the requests that were named are carried out, or wait for that, or for a lock."""

    requests: tuple[int, ...]


class Way(_Reply, frozen=True, tag="way"):
    """A direct connection that may be made once, within 10 s.

    Attributes:
        token: Names it; 16 bytes.
        key: Of AES-256-GCM.
    """

    token: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Way()"


class Nothing(_Reply, frozen=True, tag="ok"):
    """It is done; ``above`` as in :class:`Entry`."""

    above: bytes = b""


class Entry(_Reply, frozen=True, tag="entry"):
    """A file.

    Attributes:
        attributes: See :data:`ATTRIBUTES`; uid and gid are the server's.
        device: With the ino it is what the file is, under whatever name.
        plain: It has no extended attributes.
        above: Attributes of the directory in which a name was made or removed, as they are since;
            empty with all other requests, and where they are not known.
        target: What a symbolic link holds; empty of all else, and where it is not known.
    """

    attributes: bytes
    device: int
    plain: bool = False
    above: bytes = b""
    target: bytes = b""


class Opened(_Reply, frozen=True, tag="opened"):
    """An open file, named by its handle, which is not 0."""

    handle: int
    entry: Entry


class Listing(_Reply, frozen=True, tag="listing"):
    """Names with what they lead to.

    Attributes:
        handle: 0 where that was all.
        entries: In the order of the directory.
        folder: Attributes of the directory itself, as they are since it was read; empty in the
            parts after the first, and where they are not known.
        steady: Whether no name in it can change without a change of ``folder``.
        same: Whether its names are those that the asker knows; ``entries`` is empty then.
    """

    handle: int
    entries: list[tuple[bytes, Entry]]
    folder: bytes = b""
    steady: bool = False
    same: bool = False


class Count(_Reply, frozen=True, tag="count"):
    """A number of bytes, or an offset; ``error`` is why no more was written, 0 where not known."""

    value: int
    error: int = 0


class Text(_Reply, frozen=True, tag="text"):
    """Bytes of a link or of extended attributes."""

    value: bytes


class Space(_Reply, frozen=True, tag="space"):
    """As statvfs(3)."""

    blocks: int
    free: int
    available: int
    files: int
    files_free: int
    block_bytes: int
    name_bytes: int
    fragment_bytes: int


class Held(_Reply, frozen=True, tag="held"):
    """A lock that is in the way; ``F_UNLCK`` where none is."""

    kind: int
    start: int
    end: int
    pid: int


FileReply: TypeAlias = (
    Welcome | Underway | Way | Nothing | Entry | Opened | Listing | Count | Text | Space | Held
)
