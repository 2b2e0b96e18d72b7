"""When pieces are packed, and that they come out as they were."""

from __future__ import annotations

import os

import pytest

from nodeagent.migration.packing import Packer, PackingRule
from ssi.model.shim import RestoreFailed
from ssi.protocol.migration import Piece
from ssi.transport.linkrate import LinkReading

MIB = 1024 * 1024
TEXT = b"".join(b'{"id": %d}' % number for number in range(MIB // 8))[:MIB]


def seen(*rates: float, starved: bool = False, acked_bytes: int = 64 * MIB) -> PackingRule:
    rule = PackingRule()
    for number, rate in enumerate(rates):
        reading = LinkReading(acked_bytes=acked_bytes + number, rate=rate, starved=starved)
        rule.saw_link(reading)
    return rule


def test_nothing_is_packed_before_the_link_is_known() -> None:
    assert not PackingRule().packs
    assert not seen(1e6, acked_bytes=100_000).packs


@pytest.mark.parametrize(
    ("mbit", "packs"), [(10, True), (1000, True), (2500, False), (40000, False)]
)
def test_pieces_are_packed_where_the_link_is_slower_than_the_packer(mbit: int, packs: bool) -> None:
    assert seen(mbit * 1e6 / 8).packs is packs


def test_it_is_decided_again_when_the_link_changes() -> None:
    assert not seen(1e6, 1e6, 1e6, 1e6, 1e6, 1e9, 1e9, 1e9).packs


def test_one_odd_reading_decides_nothing() -> None:
    assert seen(119e6, 119e6, 900e6, 119e6).packs


def test_a_reading_that_comes_again_is_no_other_one() -> None:
    rule = seen(900e6, 900e6, 900e6)
    for _ in range(5):  # so many messages were made while nothing was acknowledged
        rule.saw_link(LinkReading(acked_bytes=99 * MIB, rate=50e6, starved=False))
    assert not rule.packs
    for number in range(5):
        rule.saw_link(LinkReading(acked_bytes=(100 + number) * MIB, rate=50e6, starved=False))
    assert rule.packs


def test_a_starved_link_is_at_least_as_fast_as_it_looks() -> None:
    rule = seen(500e6)
    rule.saw_link(LinkReading(acked_bytes=64 * MIB, rate=50e6, starved=True))
    assert rule.link_rate == 500e6
    assert seen(900e6, starved=True).link_rate == 900e6


def test_a_packer_that_turns_out_slower_than_the_link_is_not_used() -> None:
    rule = seen(200e6)
    assert rule.packs
    for _ in range(20):
        rule.saw_packing(MIB, 0.01)
    assert not rule.packs


def test_a_packed_piece_comes_out_as_it_was() -> None:
    packer, rule = Packer(), PackingRule()
    piece = Piece("pages-1.img", 0, TEXT)
    packed = packer.pack(piece, rule)
    assert len(packed.data) < len(TEXT) / 2
    assert packed.unpacked_bytes == len(TEXT)
    assert packer.unpack(packed) == TEXT


def test_what_does_not_shrink_goes_as_it_is() -> None:
    piece = Piece("pages-1.img", 0, os.urandom(MIB))
    assert Packer().pack(piece, PackingRule()) is piece


@pytest.mark.parametrize("claimed", [-1, len(TEXT) - 1, len(TEXT) + 1, 1 << 40])
def test_a_piece_of_another_size_than_announced_is_refused(claimed: int) -> None:
    packed = Packer().pack(Piece("pages-1.img", 0, TEXT), PackingRule())
    with pytest.raises(RestoreFailed):
        Packer().unpack(Piece(packed.file, 0, packed.data, claimed))


def test_a_piece_that_is_not_packed_as_it_says_is_refused() -> None:
    with pytest.raises(RestoreFailed, match="cannot be unpacked"):
        Packer().unpack(Piece("pages-1.img", 0, b"nonsense", 8))
