"""What the kernel asks, as values; :mod:`~nodeagent.filesystem.fuse.decoding` has the bytes."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Header(NamedTuple):
    """Who asks what about which inode; ``unique`` numbers the request."""

    opcode: int
    unique: int
    node: int
    uid: int
    gid: int
    pid: int


class Empty(NamedTuple):
    """Nothing more."""


class Name(NamedTuple):
    """LOOKUP, UNLINK, RMDIR, REMOVEXATTR."""

    name: bytes


class Forget(NamedTuple):
    """FORGET, BATCH_FORGET: inodes, and how many lookups of each are forgotten."""

    counts: tuple[tuple[int, int], ...]


class GetAttr(NamedTuple):
    """GETATTR."""

    flags: int
    handle: int


class SetAttr(NamedTuple):
    """SETATTR."""

    valid: int
    handle: int
    size: int
    atime_ns: int
    mtime_ns: int
    mode: int
    uid: int
    gid: int


class Symlink(NamedTuple):
    """SYMLINK."""

    name: bytes
    target: bytes


class MakeNode(NamedTuple):
    """MKNOD, MKDIR."""

    mode: int
    device: int
    name: bytes


class Rename(NamedTuple):
    """RENAME, RENAME2."""

    folder: int
    flags: int
    name: bytes
    new: bytes


class Link(NamedTuple):
    """LINK."""

    node: int
    name: bytes


class Open(NamedTuple):
    """OPEN, OPENDIR."""

    flags: int


class Create(NamedTuple):
    """CREATE."""

    flags: int
    mode: int
    name: bytes


class Read(NamedTuple):
    """READ, READDIR, READDIRPLUS."""

    handle: int
    offset: int
    size: int


class Write(NamedTuple):
    """WRITE; ``open_flags`` are those that the open file has now."""

    handle: int
    offset: int
    flags: int
    data: memoryview
    open_flags: int


class Release(NamedTuple):
    """RELEASE, RELEASEDIR."""

    handle: int
    flags: int
    owner: int


class Sync(NamedTuple):
    """FSYNC, FSYNCDIR."""

    handle: int
    flags: int


class Flush(NamedTuple):
    """FLUSH."""

    handle: int
    owner: int


class SetXattr(NamedTuple):
    """SETXATTR."""

    flags: int
    name: bytes
    value: bytes


class GetXattr(NamedTuple):
    """GETXATTR."""

    size: int
    name: bytes


class ListXattr(NamedTuple):
    """LISTXATTR."""

    size: int


class Lock(NamedTuple):
    """GETLK, SETLK, SETLKW."""

    handle: int
    owner: int
    start: int
    end: int
    kind: int
    pid: int
    flags: int


class Interrupt(NamedTuple):
    """INTERRUPT."""

    unique: int


class Initialise(NamedTuple):
    """INIT."""

    major: int
    minor: int
    readahead_bytes: int
    flags: int


class Allocate(NamedTuple):
    """FALLOCATE."""

    handle: int
    offset: int
    length: int
    mode: int


class Seek(NamedTuple):
    """LSEEK."""

    handle: int
    offset: int
    whence: int


class Copy(NamedTuple):
    """COPY_FILE_RANGE."""

    handle: int
    offset: int
    target_node: int
    target: int
    target_offset: int
    length: int


Body: TypeAlias = (
    Empty | Name | Forget | GetAttr | SetAttr | Symlink | MakeNode | Rename | Link | Open | Create
    | Read | Write | Release | Sync | Flush | SetXattr | GetXattr | ListXattr | Lock | Interrupt
    | Initialise | Allocate | Seek | Copy
)  # fmt: skip


class Request(NamedTuple):
    """One request. ``body`` is None where the opcode is not known."""

    header: Header
    body: Body | None
