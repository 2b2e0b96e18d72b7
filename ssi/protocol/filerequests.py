"""What a mount asks of the file server of another node: one closed union.

Paths are bytes, relative to the root of the export, without ``.`` and ``..``; the root itself is
empty. :mod:`ssi.protocol.filereplies` has the answers, :mod:`ssi.protocol.fileframes` what carries
both. ``docs/protocol.md``, section 12, is the authority.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

MAX_DATA_BYTES: Final = 1024 * 1024
"""Of one read or write."""

MAX_PATH_BYTES: Final = 4095
"""Source: path_resolution(7)."""

DIGEST_CHUNK_BYTES: Final = 1024 * 1024
"""Files are compared in chunks of this size."""

MAX_DIGEST_BYTES: Final = 16 * DIGEST_CHUNK_BYTES
"""Of one :class:`Digest`."""

MAX_PUT_BYTES: Final = 128 * 1024
"""Of one :class:`Put`."""


class _Request(msgspec.Struct, frozen=True, array_like=True):
    """What all requests share."""


class Hello(_Request, frozen=True, tag="hello"):
    """Begins a session, or goes on with the one that the frame names: :class:`Welcome`."""


class Bye(_Request, frozen=True, tag="bye"):
    """Ends the session with all that it holds: :class:`Nothing`."""


class Ping(_Request, frozen=True, tag="ping"):
    """Keeps the session alive: :class:`Nothing`."""


class FindUnderway(_Request, frozen=True, tag="underway"):
    """Asks which of these requests are still to be answered: :class:`Underway`."""

    requests: tuple[int, ...]


class FindWay(_Request, frozen=True, tag="way"):
    """Asks for a direct connection, which :attr:`Welcome.direct_port` promises: :class:`Way`."""


class Lookup(_Request, frozen=True, tag="lookup"):
    """What is at a path, a symbolic link not followed: :class:`Entry`."""

    path: bytes


class GetAttributes(_Request, frozen=True, tag="getattr"):
    """Attributes of an open file, also where it has no path any more: :class:`Entry`."""

    handle: int


class SetAttributes(_Request, frozen=True, tag="setattr"):
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


class ReadLink(_Request, frozen=True, tag="readlink"):
    """Where a symbolic link leads: :class:`Text`."""

    path: bytes


class MakeNode(_Request, frozen=True, tag="mknod"):
    """Makes a regular file, a fifo, a socket or a device: :class:`Entry`."""

    path: bytes
    mode: int
    device: int = 0


class MakeDirectory(_Request, frozen=True, tag="mkdir"):
    """Makes a directory: :class:`Entry`."""

    path: bytes
    mode: int


class MakeSymlink(_Request, frozen=True, tag="symlink"):
    """Makes a symbolic link: :class:`Entry`."""

    path: bytes
    target: bytes


class MakeLink(_Request, frozen=True, tag="link"):
    """Gives a file another name: :class:`Entry`."""

    path: bytes
    new: bytes


class Unlink(_Request, frozen=True, tag="unlink"):
    """Removes a name: :class:`Nothing`."""

    path: bytes


class RemoveDirectory(_Request, frozen=True, tag="rmdir"):
    """Removes an empty directory: :class:`Nothing`."""

    path: bytes


class Rename(_Request, frozen=True, tag="rename"):
    """Renames, with the flags of renameat2(2): :class:`Nothing`."""

    path: bytes
    new: bytes
    flags: int = 0


class Open(_Request, frozen=True, tag="open"):
    """Opens a regular file: :class:`Opened`, maybe with the whole file behind it.

    Attributes:
        ahead: Where it is not larger than this, its bytes are wanted at once; they follow only
            where it is not empty.
    """

    path: bytes
    flags: int
    ahead: int = 0


class Create(_Request, frozen=True, tag="create"):
    """Makes a regular file if need be and opens it: :class:`Opened`."""

    path: bytes
    flags: int
    mode: int


class Read(_Request, frozen=True, tag="read"):
    """Bytes from an offset on: :class:`Nothing`, with the bytes behind it."""

    handle: int
    offset: int
    size: int


class Write(_Request, frozen=True, tag="write"):
    """Writes the bytes behind it, at the end where the file was opened to append: :class:`Count`.

    Attributes:
        strip: Take away setuid and setgid bits, as a write by somebody else does.
    """

    handle: int
    offset: int
    strip: bool = False


class Sync(_Request, frozen=True, tag="fsync"):
    """What was written is on the server's disk: :class:`Nothing`."""

    handle: int
    data_only: bool = False


class Release(_Request, frozen=True, tag="release"):
    """An open file or directory, and others, are not needed any more: :class:`Nothing`."""

    handle: int
    others: tuple[int, ...] = ()


class OpenDirectory(_Request, frozen=True, tag="opendir"):
    """Lists a directory: :class:`Listing`, which holds its beginning.

    Attributes:
        path: Where it is.
        known: ``folder`` of an earlier listing of it that was whole and ``steady``. Where its
            names are as they were then, they are not told again.
    """

    path: bytes
    known: bytes = b""


class ListMore(_Request, frozen=True, tag="list"):
    """Goes on with a listing: :class:`Listing`."""

    handle: int


class SyncDirectory(_Request, frozen=True, tag="fsyncdir"):
    """Names in a directory are on the server's disk: :class:`Nothing`."""

    path: bytes


class GetSpace(_Request, frozen=True, tag="statfs"):
    """How full the file system is: :class:`Space`."""

    path: bytes


class GetExtended(_Request, frozen=True, tag="getxattr"):
    """An extended attribute: :class:`Text`."""

    path: bytes
    name: bytes


class ListExtended(_Request, frozen=True, tag="listxattr"):
    """Names of extended attributes, each ended by a NUL: :class:`Text`."""

    path: bytes


class SetExtended(_Request, frozen=True, tag="setxattr"):
    """Sets an extended attribute, with the flags of setxattr(2): :class:`Nothing`."""

    path: bytes
    name: bytes
    value: bytes
    flags: int = 0


class RemoveExtended(_Request, frozen=True, tag="removexattr"):
    """Removes an extended attribute: :class:`Nothing`."""

    path: bytes
    name: bytes


class Allocate(_Request, frozen=True, tag="fallocate"):
    """fallocate(2): :class:`Nothing`."""

    handle: int
    mode: int
    offset: int
    length: int


class Seek(_Request, frozen=True, tag="lseek"):
    """lseek(2) to data or to a hole: :class:`Count`."""

    handle: int
    offset: int
    whence: int


class CopyRange(_Request, frozen=True, tag="copy"):
    """Copies between two open files at the server: :class:`Count`."""

    handle: int
    offset: int
    target: int
    target_offset: int
    length: int


class Lock(_Request, frozen=True, tag="lock"):
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


class TestLock(_Request, frozen=True, tag="test-lock"):
    """Who is in the way of a lock: :class:`Held`."""

    handle: int
    owner: int
    kind: int
    start: int
    end: int


class Digest(_Request, frozen=True, tag="digest"):
    """SHA-256 of each chunk of a range of an open file, one after the other: :class:`Text`.

    Chunks are of :data:`DIGEST_CHUNK_BYTES`, counted from the offset; the last may be shorter.
    """

    handle: int
    offset: int
    size: int


class Put(_Request, frozen=True, tag="put"):
    """Makes or replaces a small file, whose bytes are behind it, in one step: :class:`Entry`.

    Attributes:
        path: Where it is to be. Where this fails, all is as it was.
        temporary: Another name in the same directory, which the file has until it is whole.
        owner: As in :class:`SetAttributes`, as are the others.
        exclusive: Refused with ``EEXIST`` where something is there.
    """

    path: bytes
    temporary: bytes
    mode: int
    owner: str | None = None
    group: str | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None
    exclusive: bool = False


class Cancel(_Request, frozen=True, tag="cancel"):
    """Nobody waits for the answer to a lock any more: :class:`Nothing`."""

    request: int


FileRequest: TypeAlias = (
    Hello
    | Bye
    | Ping
    | FindUnderway
    | FindWay
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
    | Digest
    | Put
)


def waits_for_others(body: FileRequest) -> bool:
    """Whether a request has its answer only when somebody else does something, if ever."""
    return isinstance(body, Lock) and body.wait
