"""The inodes that the kernel knows of one mount, and where each was found. Pure."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from nodeagent.filesystem.fuse.abi import ROOT_ID
from ssi.protocol.filereplies import ATTRIBUTES, Entry

ATTRIBUTE_MODE: Final = 9
ATTRIBUTE_LINKS: Final = 10
ATTRIBUTE_CHANGED: Final = (4, 5, 7, 8)
"""Places in :data:`ATTRIBUTES`."""

Key = tuple[int, int]
"""Device and number of an inode at the server: one file, under whatever name."""

UNKNOWN: Final = (-1, -1)


class Stale(OSError):
    """An inode that is not known, or has no path any more."""

    def __init__(self) -> None:
        super().__init__(errno.ESTALE, os.strerror(errno.ESTALE))


@dataclass(slots=True)
class Listed:
    """What a directory holds, as it was read at one time.

    Attributes:
        at_s: When that began, by :func:`time.monotonic`.
        entries: None for a name that changed since, and for all where only names are known.
        names_only: Whether that is so.
    """

    at_s: float
    entries: dict[bytes, Entry | None]
    names_only: bool = False


@dataclass(eq=False, slots=True)
class Node:
    """One inode.

    Attributes:
        number: By which the kernel names it; never used again.
        parent: The directory in which it was found last; None for the root, and for a file whose
            name was removed.
        lookups: How often the kernel was told of it and has not forgotten.
        children: Nodes whose parent it is.
        told: Its attributes as the kernel was told last; empty before.
        target: What it holds, where it is a symbolic link; empty where that is not known.
        plain_until_s: Until then it is believed to have no extended attribute.
        listed: Its content, where it is a directory that was read just now.
        changes: Counts changes of its content, so that a listing, or the bytes of a file, that
            were under way meanwhile are not believed.
        burst: Lookups in it in a row.
        burst_at_s: When the last of them came.
        fetch_after_s: Before that it is not fetched as a whole.
        fetch: While it is, what waits for that.
        fetch_missed: While it is, names that were changed meanwhile.
        given: Size and times of the content that the kernel was given to keep.
        writes: How many of its writes, and settings of its attributes, are under way, whether the
            kernel waits for them or not.
        written_to: Up to where it has been written from here.
        maker: Number of the open file by which it was made here; 0 once that is closed.
        vouched_until_s: Until then ``told`` is what it is, as long as ``changes`` is ``vouched``.
        was_locked: A fcntl(2) lock of it was taken here.
        changed_at_s: When this machine changed it last; what was listed of it before, under
            whatever name, does not hold.
    """

    number: int
    key: Key
    parent: Node | None
    name: bytes
    lookups: int = 0
    children: int = 0
    told: bytes = b""
    target: bytes = b""
    plain_until_s: float = 0.0
    listed: Listed | None = None
    changes: int = 0
    burst: int = 0
    burst_at_s: float = 0.0
    fetch_after_s: float = 0.0
    fetch: list[Callable[[int], None]] | None = None
    fetch_missed: set[bytes] | None = None
    given: object = None
    changed_at_s: float = 0.0
    writes: int = 0
    written_to: int = 0
    maker: int = 0
    vouched: int = -1
    vouched_until_s: float = 0.0
    was_locked: bool = False

    def note_written(self, end: int) -> None:
        """Notes up to where it was written, so that its size is known where nobody is asked."""
        self.written_to = max(self.written_to, end)

    def loses_a_link(self) -> bool:
        """Notes that a name of it was removed; whether it has another, by what was told of it."""
        if not self.told:
            return False
        values = list(ATTRIBUTES.unpack(self.told))
        if stat.S_ISDIR(values[ATTRIBUTE_MODE]) or values[ATTRIBUTE_LINKS] < 2:
            return False
        values[ATTRIBUTE_LINKS] -= 1
        self.told = ATTRIBUTES.pack(*values)
        return True


@dataclass(eq=False, slots=True)
class Nodes:
    """All inodes of one mount."""

    root: Node = field(default_factory=lambda: Node(ROOT_ID, UNKNOWN, None, b"", lookups=1))
    _by_number: dict[int, Node] = field(default_factory=dict)
    _by_key: dict[Key, Node] = field(default_factory=dict)
    _by_name: dict[tuple[int, bytes], Node] = field(default_factory=dict)
    last: int = ROOT_ID
    touched: set[Node] = field(default_factory=set)
    """Those that are new, or lead elsewhere, since somebody emptied it."""

    forgotten: set[Node] = field(default_factory=set)
    """Likewise those that the kernel does not know any more."""

    def __post_init__(self) -> None:
        self._by_number[ROOT_ID] = self.root

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._by_number.values())

    def get(self, number: int) -> Node:
        """The inode of that number.

        Raises:
            Stale: There is none.
        """
        node = self._by_number.get(number)
        if node is None:
            raise Stale
        return node

    def path(self, node: Node) -> bytes:
        """Where it is, relative to the root.

        Raises:
            Stale: Its name, or one above, was removed.
        """
        parts = []
        while node is not self.root:
            parts.append(node.name)
            if node.parent is None:
                raise Stale
            node = node.parent
        return b"/".join(reversed(parts))

    def child_path(self, folder: Node, name: bytes) -> bytes:
        """Where a name in a directory is.

        Raises:
            Stale: The directory was removed.
        """
        above = self.path(folder)
        return above + b"/" + name if above else name

    def of_key(self, key: Key) -> Node | None:
        """The inode that a file is known as."""
        return self._by_key.get(key)

    def find(self, folder: Node, name: bytes) -> Node | None:
        """The inode that a name is known to lead to."""
        return self._by_name.get((folder.number, name))

    def remember(
        self,
        folder: Node,
        name: bytes,
        key: Key,
        attributes: bytes = b"",
        *,
        fresh: bool = False,
    ) -> Node:
        """The inode that a name leads to; the kernel is about to be told of it once more.

        Where what was known under another name is not it, the old inode keeps that name, by which
        the kernel may go on to ask for it for a while: whatever the server has there is another
        file, or none; or this one, where it has a directory mounted in two places.

        Args:
            folder: The directory.
            name: In it.
            key: What the file is.
            attributes: Of it; empty where it is known to be what has that key.
            fresh: It was made just now, so that whatever had its number is gone.
        """
        node = self._by_key.get(key)
        is_placed = node is not None and (node.parent is folder and node.name == name)
        if node is not None and (fresh or not _may_be(node, attributes, is_placed=is_placed)):
            node, is_placed = None, False
        if node is None:
            self.last += 1
            node = Node(self.last, key, None, b"")
            self._by_key[key] = self._by_number[node.number] = node
        if not node.lookups:
            self.touched.add(node)
        node.lookups += 1
        if node is not self.root and not is_placed:
            self._place(node, folder, name)
        return node

    def forget(self, number: int, times: int) -> None:
        """The kernel has forgotten so many of its lookups."""
        node = self._by_number.get(number)
        if node is not None and node is not self.root:
            node.lookups = max(node.lookups - times, 0)
            if not node.lookups:
                self._fade(node)

    def _fade(self, node: Node) -> None:
        is_noted = node in self.touched
        self.forgotten.add(node)
        self._drop_if_unused(node)
        if not is_noted:
            self.touched.discard(node)

    def removed(self, folder: Node, name: bytes) -> None:
        """A name leads nowhere any more. The file may have others, or still be open."""
        folder.changes += 1
        node = self._by_name.get((folder.number, name))
        if node is not None:
            self._unplace(node)
            if not node.loses_a_link() and self._by_key.get(node.key) is node:
                del self._by_key[node.key]  # its number may be given to another file
            self._drop_if_unused(node)

    def renamed(self, folder: Node, name: bytes, new_folder: Node, new_name: bytes) -> None:
        """What a name led to is now found under another."""
        new_folder.changes += 1
        node = self._by_name.get((folder.number, name))
        folder.changes += 1
        replaced = self._by_name.get((new_folder.number, new_name))
        if replaced is not None and replaced is not node:
            self.removed(new_folder, new_name)
        if node is not None:
            self._place(node, new_folder, new_name)

    def exchanged(self, folder: Node, name: bytes, new_folder: Node, new_name: bytes) -> None:
        """Two names lead to each other's files."""
        folder.changes += 1
        new_folder.changes += 1
        one = self._by_name.get((folder.number, name))
        other = self._by_name.get((new_folder.number, new_name))
        for node in (one, other):
            if node is not None:
                self._unplace(node)
        if one is not None:
            self._place(one, new_folder, new_name)
        if other is not None:
            self._place(other, folder, name)

    def restore(self, number: int, key: Key, parent: int, name: bytes, lookups: int) -> None:
        """Puts an inode back as an earlier worker knew it; those above must be there already."""
        node = self._by_number.get(number)
        if node is None:
            node = Node(number, key, None, b"")
            self._by_number[number] = self._by_key[key] = node
        node.lookups = lookups
        self.last = max(self.last, number)
        folder = self._by_number.get(parent)
        if folder is not None and node is not self.root:
            self._by_key[key] = node
            self._place(node, folder, name)

    def _place(self, node: Node, folder: Node, name: bytes) -> None:
        self._unplace(node)
        # Another file had this name: what had it is found under none, as far as is known.
        before = self._by_name.get((folder.number, name))
        if before is not None:
            self._unplace(before)
            self._drop_if_unused(before)
        self.touched.add(node)
        node.parent, node.name = folder, name
        folder.children += 1
        self._by_name[folder.number, name] = node

    def _unplace(self, node: Node) -> None:
        folder, node.parent = node.parent, None
        if folder is None:
            return
        self.touched.add(node)
        self._by_name.pop((folder.number, node.name), None)
        folder.children -= 1
        self._drop_if_unused(folder)

    def _drop_if_unused(self, node: Node) -> None:
        if node.lookups or node.children or node is self.root:
            return
        self._by_number.pop(node.number, None)
        if self._by_key.get(node.key) is node:
            del self._by_key[node.key]
        if node.parent is not None:
            self._unplace(node)


def key_of(entry: Entry) -> Key:
    """What a file is, under whatever name."""
    return entry.device, int.from_bytes(entry.attributes[:8], "little")


def _may_be(node: Node, attributes: bytes, *, is_placed: bool) -> bool:
    """Whether it is the file with these attributes, which has its number.

    Numbers are given again. A file of one name that is found under another was renamed by somebody
    else, or is another. So is a directory, but where nothing of it has changed: that one has two
    names, as it is mounted in two places. (A rename changes its ctime; its mtime may be that of
    another one, of which it is a copy.)
    """
    if not attributes:
        return True
    found = ATTRIBUTES.unpack(attributes)
    known = ATTRIBUTES.unpack(node.told) if node.told else found
    if stat.S_IFMT(known[ATTRIBUTE_MODE]) != stat.S_IFMT(found[ATTRIBUTE_MODE]):
        return False
    if is_placed or node.parent is None:
        return True
    if stat.S_ISDIR(found[ATTRIBUTE_MODE]):
        return bool(node.told) and all(known[place] == found[place] for place in ATTRIBUTE_CHANGED)
    return bool(found[ATTRIBUTE_LINKS] > 1)
