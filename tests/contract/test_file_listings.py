"""What a file server tells of directories, and what it need not tell again."""

from __future__ import annotations

import os

import pytest

from nodeagent.filesystem.server import names
from ssi.protocol import filereplies, filerequests
from tests.contract.deeds import Deeds


def test_listing_of_many_names_comes_in_parts_and_whole(deeds: Deeds) -> None:
    names = {f"{number:05}".encode() for number in range(2500)}
    for name in names:
        (deeds.root / "rw" / name.decode()).touch()
    listing = deeds.ask(filerequests.OpenDirectory(b"rw"))
    found: list[bytes] = []
    while isinstance(listing, filereplies.Listing):
        found += [name for name, _ in listing.entries]
        if not listing.handle:
            break
        listing = deeds.ask(filerequests.ListMore(listing.handle))
    assert len(found) == 2500
    assert set(found) == names
    assert not deeds.session.rests


def listing_of(deeds: Deeds, known: bytes = b"") -> filereplies.Listing:
    reply = deeds.ask(filerequests.OpenDirectory(b"rw", known))
    assert isinstance(reply, filereplies.Listing)
    return reply


def test_names_that_are_known_are_not_told_again_until_one_changes(
    deeds: Deeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deeds.root / "rw/f").touch()
    first = listing_of(deeds)
    assert not first.steady, "it changed a moment ago, and may once more within the same tick"
    assert not first.same
    assert deeds.ask(filerequests.Lookup(b"rw")) == filereplies.Entry(
        first.folder, deeds.root.stat().st_dev, plain=True
    )
    monkeypatch.setattr(names, "RESTED_NS", -1)
    known = listing_of(deeds)
    assert known.steady
    assert [name for name, _entry in known.entries] == [b"f"]
    os.utime(deeds.root / "rw/f")  # no name of it
    os.listdir(deeds.root / "rw")  # nor is when it was read
    again = listing_of(deeds, known.folder)
    assert (again.same, again.steady, again.entries) == (True, True, [])
    for known_to_none in (b"", b"short", bytes(len(known.folder))):
        assert len(listing_of(deeds, known_to_none).entries) == 1
    (deeds.root / "rw/f").rename(deeds.root / "rw/g")
    changed = listing_of(deeds, known.folder)
    assert not changed.same
    assert [name for name, _entry in changed.entries] == [b"g"]


def test_what_a_link_holds_comes_with_its_name(deeds: Deeds) -> None:
    (deeds.root / "rw/link").symlink_to("../secret/key")
    (deeds.root / "rw/f").touch()
    entries = dict(listing_of(deeds).entries)
    assert (entries[b"link"].target, entries[b"f"].target) == (b"../secret/key", b"")
    found = deeds.ask(filerequests.Lookup(b"rw/link"))
    assert isinstance(found, filereplies.Entry)
    assert found.target == b"../secret/key"
