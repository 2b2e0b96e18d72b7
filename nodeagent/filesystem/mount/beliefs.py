"""What is believed of files without asking the server once more, and for how long."""

from __future__ import annotations

import stat
import time
from typing import Final

from nodeagent.filesystem.mount.nodes import (
    ATTRIBUTE_LINKS,
    ATTRIBUTE_MODE,
    Listed,
    Node,
    Nodes,
    Stale,
    key_of,
)
from nodeagent.filesystem.mount.options import MountOptions
from ssi.protocol.filereplies import ATTRIBUTES, Entry

TOLD_AT_MOST: Final = 10_000
"""Files that the kernel is made to forget at once: 25 ms, where a job is waiting for it."""


ABSENCE_S: Final = 0.01
"""For so long the kernel believes that there is no such name: until the file is made for which it
was looked up, where that takes no longer."""

_TICKS_S: Final = 0.02
"""By so much the kernel believes it for longer: it counts in ticks, of which some have 10 ms."""


class Beliefs:
    """See the module: listings, less what this machine has changed since they were read.

    Args:
        nodes: The inodes that are known.
        options: How long what is known is believed.
    """

    def __init__(self, nodes: Nodes, options: MountOptions) -> None:
        self._nodes = nodes
        self._believed_s = min(options.attributes_s, options.names_s)
        self._links_changed_at_s = 0.0
        self._doubted_s = 0.0
        self._absence_until_s = 0.0
        self._told: dict[Node, float] = {}  # with when; the oldest first

    def listed(self, folder: Node) -> Listed | None:
        """What a directory holds, if it was read just now."""
        listed = folder.listed
        if listed is None:
            return None
        is_old = time.monotonic() - listed.at_s > self._believed_s
        if is_old or listed.at_s <= self._doubted_s:
            folder.listed = None
            return None
        return listed

    def told(self, node: Node) -> None:
        """The kernel is told what a file is like, and believes it for a while."""
        now_s = time.monotonic()
        self._told.pop(node, None)
        self._told[node] = now_s
        first, told_s = next(iter(self._told.items()))
        if len(self._told) > TOLD_AT_MOST or now_s - told_s > self._believed_s:
            del self._told[first]

    def absence_told(self) -> float:
        """The kernel is told that there is no such name; for how long it may believe that."""
        believed_s = min(ABSENCE_S, self._believed_s)
        if believed_s:
            self._absence_until_s = time.monotonic() + believed_s + _TICKS_S
        return believed_s

    @property
    def absence_s(self) -> float:
        """For how long the kernel may yet believe of some name that there is none."""
        return max(self._absence_until_s - time.monotonic(), 0.0)

    def doubt(self) -> list[Node]:
        """Somebody may know of changes that are not known here: nothing is believed any more.

        Returns:
            Of which files the kernel is to forget what it was told, as it may believe that yet.
        """
        self._doubted_s = time.monotonic()
        doubted = list(self._told)
        self._told.clear()
        for node in doubted:
            node.target = b""
        return doubted

    def check_same(self, node: Node, entry: Entry) -> None:
        """Refuses an entry of another file, which the path of a file leads to now.

        Raises:
            Stale: The kernel then looks it up again, and is not to be told the same again.
        """
        if node is not self._nodes.root and key_of(entry) != node.key:
            self.changed(node)
            raise Stale

    def of(self, node: Node) -> Entry | None:
        """A file as the directory above it was read to hold it, if that still stands."""
        listed = self.listed(node.parent) if node.parent is not None else None
        if listed is None or node.writes or node.changed_at_s >= listed.at_s:
            return None
        entry = listed.entries.get(node.name)
        return entry if entry is not None and self.stands(entry, listed.at_s) else None

    def vouch(self, folder: Node) -> None:
        """What was told of a directory just now came with the last change that was made in it."""
        folder.vouched = folder.changes
        folder.vouched_until_s = time.monotonic() + self._believed_s

    def vouched_s(self, folder: Node) -> float:
        """For how long what was told of a directory still holds; not above 0 where it does not."""
        is_doubted = folder.vouched_until_s - self._believed_s <= self._doubted_s
        if folder.vouched != folder.changes or is_doubted:
            return 0.0
        return folder.vouched_until_s - time.monotonic()

    def stands(self, entry: Entry, read_at_s: float) -> bool:
        """Whether this machine has left a file alone, by all of its names, since it was read.

        A file of several names is known here by one of them. Where any name was made or removed
        since, it may have been another of this file's, and its link count is not what was read.
        """
        node = self._nodes.of_key(key_of(entry))
        if node is not None and (node.writes or node.changed_at_s >= read_at_s):
            return False
        values = ATTRIBUTES.unpack(entry.attributes)
        several = values[ATTRIBUTE_LINKS] > 1 and not stat.S_ISDIR(values[ATTRIBUTE_MODE])
        return not several or self._links_changed_at_s < read_at_s

    def changed(self, node: Node) -> None:
        """What is known of a file, or was listed of it, does not hold any more."""
        node.changes += 1
        node.changed_at_s = time.monotonic()
        if node.parent is not None:
            _unlist(node.parent, node.name)

    def links_changed(self) -> None:
        """A file has more names than it had, or fewer."""
        self._links_changed_at_s = time.monotonic()

    def name_changed(self, folder: Node, name: bytes, entry: Entry | None = None) -> None:
        """What was listed of a name does not hold any more; ``entry`` does, where it is known."""
        _unlist(folder, name)
        if folder.listed is not None:
            folder.listed.entries[name] = entry
        self.changed(folder)

    def name_removed(self, folder: Node, name: bytes) -> None:
        """A name leads nowhere any more, or elsewhere."""
        self.links_changed()
        known = self._nodes.find(folder, name)
        if known is not None:
            self.changed(known)  # it has one link fewer
        _unlist(folder, name)
        if folder.listed is not None:
            folder.listed.entries.pop(name, None)
        self.changed(folder)


def _unlist(folder: Node, name: bytes) -> None:
    if folder.listed is not None:
        folder.listed.entries[name] = None
    if folder.fetch_missed is not None:
        folder.fetch_missed.add(name)
