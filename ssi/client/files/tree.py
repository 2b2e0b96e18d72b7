"""What can be asked of the files of a machine, wherever it is.

Paths are bytes from the root on. What a machine refuses is an ``OSError``, as of the kernel, whose
``filename`` is ``n1:`` where the node n1 refuses. That a node cannot be asked is an
:class:`~ssi.model.errors.SsiError`.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import Final, Protocol

CHUNK_BYTES: Final = 1024 * 1024
"""Of a large file so much is copied, compared and checked at a time."""

SMALL_BYTES: Final = 128 * 1024
"""A file of at most so much is copied whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """A file as its machine tells of it.

    Attributes:
        user: Name of the owner; empty where the machine has none.
        group: Likewise.
        identity: What the file is, under whatever name.
        plain: Known to have no extended attributes.
    """

    mode: int
    size: int
    atime_ns: int
    mtime_ns: int
    uid: int
    gid: int
    user: str
    group: str
    links: int
    identity: tuple[int, int]
    device: int
    blocks: int
    plain: bool = False

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def version(self) -> tuple[int, int]:
        """Another one after each change of the content."""
        return self.size, self.mtime_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Attributes to be set; None leaves one as it is."""

    mode: int | None = None
    user: str | None = None
    group: str | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None


class OpenFile(Protocol):
    """A regular file that is open.

    Attributes:
        attributes: At its opening.
        content: All of it where it was small and that was wanted, else None.
    """

    attributes: Attributes
    content: bytes | None

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """At most so many bytes; fewer only at the end."""

    async def write(self, offset: int, data: bytes | memoryview) -> None:
        """Writes all of them."""

    async def digests(self, offset: int, size: int) -> list[bytes]:
        """SHA-256 of each :data:`CHUNK_BYTES` of a range, as far as the file goes."""

    async def holds(self, offset: int, data: bytes | memoryview) -> bool:
        """Whether the file has these bytes there."""

    async def next_data(self, offset: int) -> tuple[int, int] | None:
        """Where the next bytes begin and end that are no hole; None where none follow."""

    async def resize(self, size: int) -> None:
        """Cuts it, or adds a hole."""

    async def change(self, change: Change) -> None:
        """Sets attributes."""

    async def look(self) -> Attributes:
        """Its attributes now."""

    async def lock(self) -> bool:
        """Whether nobody else had it locked, and now we have."""

    async def close(self) -> None:
        """Harmless when it is closed."""


class Tree(Protocol):
    """The files of one machine, as one user sees them.

    Attributes:
        node: Its name; empty for this machine.
        written: The node that stands before its paths in what people read; empty for none.
        user: As whom.
        home: That user's home directory.
    """

    node: str
    written: str
    user: str
    home: bytes

    def knows(self, user: str, group: str) -> tuple[bool, bool]:
        """Whether there are a user and a group of these names, as far as it is known."""

    async def resolve(self, path: bytes, *, follow: bool) -> bytes:
        """A path without symbolic links before its last name, and none there with ``follow``.

        What its last name stands for need not be there.
        """

    async def look(self, path: bytes) -> Attributes:
        """What is there, a symbolic link not followed."""

    async def list(self, path: bytes) -> list[tuple[bytes, Attributes]]:
        """The names in a directory, and what they are."""

    async def read_link(self, path: bytes) -> bytes:
        """Where a symbolic link leads."""

    async def open(self, path: bytes, *, ahead: bool = False) -> OpenFile:
        """Opens a regular file to be read."""

    async def create(self, path: bytes) -> OpenFile:
        """Makes a file that was not there, for its owner alone, and opens it."""

    async def reopen(self, path: bytes) -> OpenFile:
        """Opens a file to be written."""

    async def put(self, path: bytes, data: bytes, change: Change, *, exclusive: bool) -> None:
        """Makes or replaces a small file in one step.

        Args:
            path: Where.
            data: All of it.
            change: Its attributes, the mode among them.
            exclusive: Refuse with ``FileExistsError`` where something is there.
        """

    async def rename(self, path: bytes, new: bytes, *, exclusive: bool = False) -> None:
        """Gives it another name, maybe in place of what had it."""

    async def unlink(self, path: bytes) -> None:
        """Removes a name."""

    async def make_directory(self, path: bytes, mode: int) -> None:
        """Makes a directory."""

    async def make_symlink(self, path: bytes, target: bytes) -> None:
        """Makes a symbolic link."""

    async def make_link(self, path: bytes, new: bytes) -> None:
        """Gives a file one more name."""

    async def make_node(self, path: bytes, mode: int, device: int) -> None:
        """Makes a fifo or a device."""

    async def change(self, path: bytes, change: Change) -> None:
        """Sets attributes, a symbolic link not followed."""

    async def extended(self, path: bytes) -> dict[bytes, bytes]:
        """All extended attributes."""

    async def set_extended(self, path: bytes, name: bytes, value: bytes) -> None:
        """Sets one."""

    async def free_bytes(self, path: bytes) -> int:
        """Room on the file system of a path."""


def label(tree: Tree, path: bytes) -> str:
    """A path as a person would write it."""
    text = path.decode("utf-8", "surrogateescape")
    return f"{tree.written}:{text}" if tree.written else text
