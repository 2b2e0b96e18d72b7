"""Files and directories that programs of this machine hold open on a mount."""

from __future__ import annotations

from dataclasses import dataclass, field

from nodeagent.filesystem.mount.nodes import Node
from ssi.protocol.filereplies import Entry
from ssi.protocol.filerequests import SetAttributes


@dataclass(slots=True)
class Failure:
    """A write, or a setting, that failed after the kernel was told that it is done.

    Attributes:
        error: Its errno.
        is_told_by_write: A later write has failed with it.
        told: Owners of descriptors, that is processes, whose close has.
    """

    error: int
    is_told_by_write: bool = False
    told: set[int] = field(default_factory=set)


@dataclass(eq=False, slots=True)
class File:
    """An open file.

    Attributes:
        number: By which the kernel names it.
        handle: By which the server does; another one once it was opened again.
        flags: With which it was opened.
        user: Who opened it.
        group: Likewise.
        unsynced: Whether something was written since it was last on the server's disk.
        lock_owners: Owners of fcntl(2) locks that were taken through it.
        has_flock: Whether a flock(2) lock was taken.
        closes_unheard: The kernel tells only of its last close.
        takers: By owner of fcntl(2) locks the process that took them, where that is so.
        error: An errno that the next close or fsync tells; 0 for none.
        is_lost: The server has forgotten the handle.
        is_written: Something was written through it.
        failure: What its next write, and its next fsync or close, have to tell.
        writes_through: Each of its writes waits for its answer, as one has failed.
        setting: Attributes of which the kernel was told that they are set, and the server not yet.
        ahead: All of the file, which came as it was opened; empty where it did not.
        ahead_until_s: Until then that is believed.
        ahead_of: The state of the file of which it is the content.
    """

    number: int
    handle: int
    node: Node
    flags: int
    user: str
    group: str
    unsynced: bool = False
    lock_owners: set[int] = field(default_factory=set)
    has_flock: bool = False
    error: int = 0
    is_lost: bool = False
    is_written: bool = False
    failure: Failure | None = None
    writes_through: bool = False
    setting: SetAttributes | None = None
    ahead: bytes = b""
    ahead_until_s: float = 0.0
    ahead_of: object = None
    closes_unheard: bool = False
    takers: dict[int, int] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Directory:
    """An open directory.

    Attributes:
        entries: What was read so far, in the server's order.
        rest: The server's handle of what is left; 0 where that was all.
        read_at_s: When the reading began, by :func:`time.monotonic`.
        begun: Whether the kernel has asked for its beginning.
        names_only: Of its entries, attributes are of an earlier time.
        is_cut: What follows them is not known any more: it is to be listed again.
    """

    number: int
    node: Node
    user: str
    group: str
    entries: list[tuple[bytes, Entry]]
    rest: int
    read_at_s: float
    begun: bool = False
    names_only: bool = False
    is_cut: bool = False


@dataclass(eq=False, slots=True)
class Handles:
    """All that is open on one mount."""

    files: dict[int, File] = field(default_factory=dict)
    directories: dict[int, Directory] = field(default_factory=dict)
    last: int = 0

    def next(self) -> int:
        """A number that was never given before."""
        self.last += 1
        return self.last

    def of_node(self, node: Node, *, writable: bool = False) -> File | None:
        """Some open file of an inode."""
        for file in self.files.values():
            if file.node is node and (not writable or file.flags & 3):
                return file
        return None

    def __len__(self) -> int:
        return len(self.files) + len(self.directories)
