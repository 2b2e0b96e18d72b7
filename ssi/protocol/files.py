"""What a mount asks of the file server of another node, and the answers: one closed union each.

These travel on a port of their own, in frames of their own (:mod:`ssi.protocol.fileframes`). Paths
are bytes, relative to the root of the export, without ``.`` and ``..``; the root itself is empty.
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

MAX_DATA_BYTES: Final = 1024 * 1024
"""Of one read or write."""

MAX_PATH_BYTES: Final = 4095
"""Source: path_resolution(7)."""


class _Part(msgspec.Struct, frozen=True, array_like=True):
    """What requests and replies share."""


class Hello(_Part, frozen=True, tag="hello"):
    """Begins a session, or goes on with the one that the frame names: :class:`Welcome`."""


class Bye(_Part, frozen=True, tag="bye"):
    """Ends the session with all that it holds: :class:`Nothing`."""


class Ping(_Part, frozen=True, tag="ping"):
    """Keeps the session alive: :class:`Nothing`."""


class Lookup(_Part, frozen=True, tag="lookup"):
    """What is at a path, a symbolic link not followed: :class:`Entry`."""

    path: bytes


class GetAttributes(_Part, frozen=True, tag="getattr"):
    """Attributes of an open file, also where it has no path any more: :class:`Entry`."""

    handle: int


class SetAttributes(_Part, frozen=True, tag="setattr"):
    """Changes what is not None, of a path, or of an open file where ``handle`` is not 0.

    Answered by :class:`Entry`. Times are nanoseconds; -1 is the server's now.
    """

    path: bytes
    handle: int = 0
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    size: int | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None


class ReadLink(_Part, frozen=True, tag="readlink"):
    """Where a symbolic link leads: :class:`Text`."""

    path: bytes


class MakeNode(_Part, frozen=True, tag="mknod"):
    """Makes a regular file, a fifo, a socket or a device: :class:`Entry`."""

    path: bytes
    mode: int
    device: int = 0


class MakeDirectory(_Part, frozen=True, tag="mkdir"):
    """Makes a directory: :class:`Entry`."""

    path: bytes
    mode: int


class MakeSymlink(_Part, frozen=True, tag="symlink"):
    """Makes a symbolic link: :class:`Entry`."""

    path: bytes
    target: bytes


class MakeLink(_Part, frozen=True, tag="link"):
    """Gives a file another name: :class:`Entry`."""

    path: bytes
    new: bytes


class Unlink(_Part, frozen=True, tag="unlink"):
    """Removes a name: :class:`Nothing`."""

    path: bytes


class RemoveDirectory(_Part, frozen=True, tag="rmdir"):
    """Removes an empty directory: :class:`Nothing`."""

    path: bytes


class Rename(_Part, frozen=True, tag="rename"):
    """Renames, with the flags of renameat2(2): :class:`Nothing`."""

    path: bytes
    new: bytes
    flags: int = 0


class Open(_Part, frozen=True, tag="open"):
    """Opens a regular file: :class:`Opened`, maybe with the whole file behind it.

    Attributes:
        ahead: Where it is not larger than this, its bytes are wanted at once; they follow only
            where it is not empty.
    """

    path: bytes
    flags: int
    ahead: int = 0


class Create(_Part, frozen=True, tag="create"):
    """Makes a regular file if need be and opens it: :class:`Opened`."""

    path: bytes
    flags: int
    mode: int


class Read(_Part, frozen=True, tag="read"):
    """Bytes from an offset on: :class:`Nothing`, with the bytes behind it."""

    handle: int
    offset: int
    size: int


class Write(_Part, frozen=True, tag="write"):
    """Writes the bytes behind it, at the end where the file was opened to append: :class:`Count`.

    Attributes:
        strip: Take away setuid and setgid bits, as a write by somebody else does.
    """

    handle: int
    offset: int
    strip: bool = False


class Sync(_Part, frozen=True, tag="fsync"):
    """What was written is on the server's disk: :class:`Nothing`."""

    handle: int
    data_only: bool = False


class Release(_Part, frozen=True, tag="release"):
    """An open file or directory, and others, are not needed any more: :class:`Nothing`."""

    handle: int
    others: tuple[int, ...] = ()


class OpenDirectory(_Part, frozen=True, tag="opendir"):
    """Lists a directory: :class:`Listing`, which holds its beginning."""

    path: bytes


class ListMore(_Part, frozen=True, tag="list"):
    """Goes on with a listing: :class:`Listing`."""

    handle: int


class SyncDirectory(_Part, frozen=True, tag="fsyncdir"):
    """Names in a directory are on the server's disk: :class:`Nothing`."""

    path: bytes


class GetSpace(_Part, frozen=True, tag="statfs"):
    """How full the file system is: :class:`Space`."""

    path: bytes


class GetExtended(_Part, frozen=True, tag="getxattr"):
    """An extended attribute: :class:`Text`."""

    path: bytes
    name: bytes


class ListExtended(_Part, frozen=True, tag="listxattr"):
    """Names of extended attributes, each ended by a NUL: :class:`Text`."""

    path: bytes


class SetExtended(_Part, frozen=True, tag="setxattr"):
    """Sets an extended attribute, with the flags of setxattr(2): :class:`Nothing`."""

    path: bytes
    name: bytes
    value: bytes
    flags: int = 0


class RemoveExtended(_Part, frozen=True, tag="removexattr"):
    """Removes an extended attribute: :class:`Nothing`."""

    path: bytes
    name: bytes


class Allocate(_Part, frozen=True, tag="fallocate"):
    """fallocate(2): :class:`Nothing`."""

    handle: int
    mode: int
    offset: int
    length: int


class Seek(_Part, frozen=True, tag="lseek"):
    """lseek(2) to data or to a hole: :class:`Count`."""

    handle: int
    offset: int
    whence: int


class CopyRange(_Part, frozen=True, tag="copy"):
    """Copies between two open files at the server: :class:`Count`."""

    handle: int
    offset: int
    target: int
    target_offset: int
    length: int


class Lock(_Part, frozen=True, tag="lock"):
    """Takes or gives back a lock: :class:`Nothing`; refused with EAGAIN, or EINTR once cancelled.

    Attributes:
        owner: Of the lock; with ``whole``, locks belong to the open file as flock(2) has it.
        kind: ``F_RDLCK``, ``F_WRLCK`` or ``F_UNLCK``.
        end: The last byte.
        wait: Wait for whoever has it.
    """

    handle: int
    owner: int
    kind: int
    start: int = 0
    end: int = 0
    whole: bool = False
    wait: bool = False


class TestLock(_Part, frozen=True, tag="test-lock"):
    """Who is in the way of a lock: :class:`Held`."""

    handle: int
    owner: int
    kind: int
    start: int
    end: int


class Cancel(_Part, frozen=True, tag="cancel"):
    """Nobody waits for the answer to a lock any more: :class:`Nothing`."""

    request: int


FileRequest: TypeAlias = (
    Hello
    | Bye
    | Ping
    | Lookup
    | GetAttributes
    | SetAttributes
    | ReadLink
    | MakeNode
    | MakeDirectory
    | MakeSymlink
    | MakeLink
    | Unlink
    | RemoveDirectory
    | Rename
    | Open
    | Create
    | Read
    | Write
    | Sync
    | Release
    | OpenDirectory
    | ListMore
    | SyncDirectory
    | GetSpace
    | GetExtended
    | ListExtended
    | SetExtended
    | RemoveExtended
    | Allocate
    | Seek
    | CopyRange
    | Lock
    | TestLock
    | Cancel
)

REPEATABLE: Final = frozenset(
    {
        Hello,
        Bye,
        Ping,
        Lookup,
        GetAttributes,
        ReadLink,
        Read,
        Sync,
        Release,
        SyncDirectory,
        GetSpace,
        GetExtended,
        ListExtended,
        Seek,
        TestLock,
        Cancel,
    }
)
"""Requests that may be carried out twice. Of all others the server remembers the answer."""


class Welcome(_Part, frozen=True, tag="welcome"):
    """The session stands.

    Attributes:
        boot: Names the run of the server's kernel; another one has lost what was not synced.
        kept: Whether the session was there already, with its open files.
        users: Ids of the server by name.
        groups: Likewise.
        lease_s: After so long without a request the session ends.
        window_requests: So many requests may be under way.
        window_bytes: So many bytes of reads and writes.
    """

    boot: str
    kept: bool
    users: dict[int, str]
    groups: dict[int, str]
    lease_s: float
    window_requests: int
    window_bytes: int


class Nothing(_Part, frozen=True, tag="ok"):
    """It is done."""


class Entry(_Part, frozen=True, tag="entry"):
    """A file.

    Attributes:
        attributes: See :data:`ATTRIBUTES`; uid and gid are the server's.
        device: With the ino it is what the file is, under whatever name.
        plain: It has no extended attributes.
    """

    attributes: bytes
    device: int
    plain: bool = False


class Opened(_Part, frozen=True, tag="opened"):
    """An open file, named by its handle, which is not 0."""

    handle: int
    entry: Entry


class Listing(_Part, frozen=True, tag="listing"):
    """Names with what they lead to; ``handle`` is 0 where that was all."""

    handle: int
    entries: list[tuple[bytes, Entry]]


class Count(_Part, frozen=True, tag="count"):
    """A number of bytes, or an offset."""

    value: int


class Text(_Part, frozen=True, tag="text"):
    """Bytes of a link or of extended attributes."""

    value: bytes


class Space(_Part, frozen=True, tag="space"):
    """As statvfs(3)."""

    blocks: int
    free: int
    available: int
    files: int
    files_free: int
    block_bytes: int
    name_bytes: int
    fragment_bytes: int


class Held(_Part, frozen=True, tag="held"):
    """A lock that is in the way; ``F_UNLCK`` where none is."""

    kind: int
    start: int
    end: int
    pid: int


FileReply: TypeAlias = Welcome | Nothing | Entry | Opened | Listing | Count | Text | Space | Held


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """One request.

    Attributes:
        id: Counts up within the session.
        session: 16 random bytes, made by the mount.
        user: On whose behalf; empty for what belongs to nobody (Hello, Release, ...).
        group: With which group new files are made; empty for the user's own.
        body: What is asked.
    """

    id: int
    session: bytes
    user: str
    group: str
    body: FileRequest


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """One answer.

    Attributes:
        id: Of the request.
        error: 0, or an errno(3) with its number on x86_64.
        body: Where the error is 0.
        no_session: The server knows no such session: it was restarted, or the lease ran out.
    """

    id: int
    error: int = 0
    body: FileReply | None = None
    no_session: bool = False
