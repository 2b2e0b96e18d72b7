"""Listings that are kept for when their directories are told to be the same."""

from __future__ import annotations

from nodeagent.filesystem.mount.keptlistings import KeptListings
from nodeagent.filesystem.mount.nodes import Node
from ssi.protocol.filereplies import Entry, Listing


def node(number: int) -> Node:
    return Node(number, (1, number), None, b"")


def listing(folder: bytes, names: int, *, handle: int = 0, steady: bool = True) -> Listing:
    entries = [(b"%d" % each, Entry(b"", 1)) for each in range(names)]
    return Listing(handle, entries, folder, steady)


def test_only_a_whole_listing_of_a_directory_at_rest_is_kept() -> None:
    kept = KeptListings()
    kept.take(node(1), listing(b"a", 2))
    found = kept.of(node(1))
    assert found is not None
    assert (found.folder, [name for name, _entry in found.entries]) == (b"a", [b"0", b"1"])
    for of_no_use in (listing(b"b", 2, handle=5), listing(b"b", 2, steady=False)):
        kept.take(node(1), listing(b"a", 2))
        kept.take(node(1), of_no_use)
        assert kept.of(node(1)) is None, "the older one does not hold any more"


def test_names_that_were_used_longest_ago_are_given_up() -> None:
    kept = KeptListings(at_most=10)
    for number in (1, 2, 3):
        kept.take(node(number), listing(b"a", 2))
    assert kept.of(node(1)) is not None
    kept.take(node(4), listing(b"a", 2))
    assert [number for number in (1, 2, 3, 4) if kept.of(node(number))] == [1, 3, 4]
    kept.take(node(3), listing(b"a", 8))
    assert [number for number in (1, 2, 3, 4) if kept.of(node(number))] == [3]
    kept.take(node(5), listing(b"a", 50))
    assert not any(kept.of(node(number)) for number in range(6)), "one too large is not kept"
    for number in range(100):
        kept.take(node(number), listing(b"a", 0))
    assert sum(kept.of(node(number)) is not None for number in range(100)) == 10
