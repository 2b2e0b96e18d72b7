"""Listings that are kept for when their directories are told to be the same."""

from __future__ import annotations

from nodeagent.filesystem.mount.keptlistings import WHOLE_TIMES, KeptListing, KeptListings
from nodeagent.filesystem.mount.nodes import Node
from ssi.protocol.filereplies import Entry, Listing


def node(number: int) -> Node:
    return Node(number, (1, number), None, b"")


def listing(folder: bytes, names: int, *, handle: int = 0, steady: bool = True) -> Listing:
    entries = [(b"%d" % each, Entry(b"", 1)) for each in range(names)]
    return Listing(handle, entries, folder, steady)


def known(kept: KeptListings, folder: Node) -> KeptListing | None:
    return kept.known(folder, has_attributes=False)


def test_only_a_whole_listing_of_a_directory_at_rest_is_kept() -> None:
    kept = KeptListings()
    kept.take(node(1), listing(b"a", 2))
    found = known(kept, node(1))
    assert found is not None
    assert (found.folder, [name for name, _entry in found.entries]) == (b"a", [b"0", b"1"])
    for of_no_use in (listing(b"b", 2, handle=5), listing(b"b", 2, steady=False)):
        kept.take(node(1), listing(b"a", 2))
        kept.take(node(1), of_no_use)
        assert known(kept, node(1)) is None, "the older one does not hold any more"


def test_names_that_were_used_longest_ago_are_given_up() -> None:
    kept = KeptListings(at_most=10)
    for number in (1, 2, 3):
        kept.take(node(number), listing(b"a", 2))
    assert known(kept, node(1)) is not None
    kept.take(node(4), listing(b"a", 2))
    assert [number for number in (1, 2, 3, 4) if known(kept, node(number))] == [1, 3, 4]
    kept.take(node(3), listing(b"a", 8))
    assert [number for number in (1, 2, 3, 4) if known(kept, node(number))] == [3]
    kept.take(node(5), listing(b"a", 50))
    assert not any(known(kept, node(number)) for number in range(6)), "one too large is not kept"
    for number in range(100):
        kept.take(node(number), listing(b"a", 0))
    assert sum(known(kept, node(number)) is not None for number in range(100)) == 10


def test_directory_whose_attributes_were_wanted_is_listed_with_them_for_a_while() -> None:
    kept, folder = KeptListings(), node(1)
    kept.take(folder, listing(b"a", 2))
    assert known(kept, folder)
    kept.names_were_not_enough(folder)
    assert kept.known(folder, has_attributes=True), "they are there"
    for _ in range(WHOLE_TIMES):
        assert known(kept, folder) is None
        kept.take(folder, listing(b"a", 2))
    assert known(kept, folder), "maybe names are enough by now"
    kept.names_were_not_enough(node(2))  # of which nothing is known
