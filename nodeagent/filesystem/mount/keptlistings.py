"""Listings of directories that change rarely, for when the server says that they are as then."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from nodeagent.filesystem.mount.nodes import Node
from ssi.protocol.filereplies import Entry, Listing

KEPT_NAMES: Final = 20_000
"""Of all directories of a mount together; a name takes about 300 bytes."""

WHOLE_TIMES: Final = 8
"""So often a directory is listed with attributes, once they were asked for after a listing without:
whoever goes through it as ``ls -l`` does, is likely to do so again."""


@dataclass(slots=True)
class KeptListing:
    """What a directory held.

    Attributes:
        folder: Its attributes then.
        entries: Of these, names, numbers and kinds hold for as long as the directory is the same.
        whole_times: So often it is to be listed with attributes yet.
    """

    folder: bytes
    entries: list[tuple[bytes, Entry]]
    whole_times: int = 0


class KeptListings:
    """Those used last.

    Args:
        at_most: So many names of all of them together.
    """

    def __init__(self, at_most: int = KEPT_NAMES) -> None:
        self._at_most = at_most
        self._kept: OrderedDict[int, KeptListing] = OrderedDict()
        self._names = 0

    def known(self, node: Node, *, has_attributes: bool) -> KeptListing | None:
        """That of a directory which is about to be listed, if names are enough.

        Args:
            node: The directory.
            has_attributes: Whether those of its files are believed just now.
        """
        kept = self._kept.get(node.number)
        if kept is None:
            return None
        self._kept.move_to_end(node.number)
        if kept.whole_times and not has_attributes:
            kept.whole_times -= 1
            return None
        return kept

    def names_were_not_enough(self, node: Node) -> None:
        """Attributes were asked for after a directory was listed without."""
        kept = self._kept.get(node.number)
        if kept is not None:
            kept.whole_times = WHOLE_TIMES

    def take(self, node: Node, listing: Listing) -> None:
        """Keeps a listing, if it is whole and can be told to be the same; the last one goes."""
        before = self._kept.pop(node.number, None)
        if before is not None:
            self._names -= _size(before)
        if listing.handle or not listing.steady:
            return
        whole_times = before.whole_times if before is not None else 0
        kept = KeptListing(listing.folder, listing.entries, whole_times)
        self._kept[node.number] = kept
        self._names += _size(kept)
        while self._names > self._at_most:
            _number, oldest = self._kept.popitem(last=False)
            self._names -= _size(oldest)


def _size(kept: KeptListing) -> int:
    return len(kept.entries) + 1  # an empty directory takes room, too
