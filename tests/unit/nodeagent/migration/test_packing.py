"""When pieces are packed, and that they come out as they were."""

from __future__ import annotations

import os

import pytest

from nodeagent.migration.packing import Packer, PackingRule
from ssi.model.checkpoint import RestoreFailed
from ssi.protocol.migration import Piece
from ssi.transport.linkrate import Tally

MIB = 1024 * 1024
TEXT = b"".join(b'{"id": %d}' % number for number in range(MIB // 8))[:MIB]


def seen(*tallies: Tally) -> PackingRule:
    rule = PackingRule()
    for tally in tallies:
        rule.saw_link(tally)
    return rule


def test_nothing_is_packed_before_the_link_is_known() -> None:
    assert not PackingRule().packs
    assert not seen(Tally(acked_bytes=MIB, busy_us=8_000)).packs


@pytest.mark.parametrize(
    ("mbit", "packs"), [(10, True), (1000, True), (2500, False), (40000, False)]
)
def test_pieces_are_packed_where_the_link_is_slower_than_the_packer(mbit: int, packs: bool) -> None:
    busy_us = int(64e6 / (mbit * 1e6 / 8) * 1e6)
    assert seen(Tally(acked_bytes=64_000_000, busy_us=busy_us)).packs is packs


def test_it_is_decided_again_when_the_link_changes() -> None:
    slow = Tally(acked_bytes=10_000_000, busy_us=1_000_000)
    assert not seen(slow, Tally(acked_bytes=110_000_000, busy_us=1_020_000)).packs


def test_a_new_connection_is_measured_from_its_beginning() -> None:
    old = Tally(acked_bytes=900_000_000, busy_us=900_000)
    rule = seen(old, Tally(acked_bytes=10_000_000, busy_us=1_000_000))
    assert rule.link_rate == 10e6


def test_a_packer_that_turns_out_slower_than_the_link_is_not_used() -> None:
    rule = seen(Tally(acked_bytes=100_000_000, busy_us=500_000))
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
