"""Datagrams between versions: what an older one sent is read, and what it does not know passed."""

from __future__ import annotations

import msgspec
import pytest

from ssi.model.node import Roster, RosterEntry
from ssi.protocol.codec import BadMessage, VersionMismatch, decode_datagram, encode_datagram
from ssi.protocol.envelope import MAGIC, PROTOCOL_VERSION
from ssi.protocol.pulse import Ack, AnyDatagram, Gossip, IndirectProbe, Nack, Probe, Sync

N2 = "n2"

FIRST: list[tuple[list[object], AnyDatagram]] = [
    ([0, 7, 5, 3, []], Probe(incarnation=5, roster_version=3, sequence=7)),
    ([1, 7, "n2", 5, 3, []], IndirectProbe(incarnation=5, roster_version=3, sequence=7, target=N2)),
    ([2, 7, 0.0, b"", 5, 3, []], Ack(incarnation=5, roster_version=3, sequence=7)),
    ([3, 7, 5, 3, []], Nack(incarnation=5, roster_version=3, sequence=7)),
    ([4, 5, 3, []], Gossip(incarnation=5, roster_version=3)),
    ([5, 9, True, 5, 3, []], Sync(incarnation=5, roster_version=3, digest=9)),
]  # fmt: skip


@pytest.mark.parametrize(("items", "datagram"), FIRST)
def test_datagram_of_the_first_version_is_read(items: list[object], datagram: AnyDatagram) -> None:
    assert decode_datagram(MAGIC + msgspec.msgpack.encode(items)) == datagram


@pytest.mark.parametrize(("items", "datagram"), FIRST)
def test_new_fields_come_last_so_that_the_first_version_passes_them_over(
    items: list[object], datagram: AnyDatagram
) -> None:
    sent = msgspec.msgpack.decode(encode_datagram(datagram)[len(MAGIC) :])
    assert sent[: len(items)] == items


@pytest.mark.parametrize(("items", "datagram"), FIRST)
def test_fields_of_later_versions_are_passed_over(
    items: list[object], datagram: AnyDatagram
) -> None:
    known = msgspec.msgpack.decode(encode_datagram(datagram)[len(MAGIC) :])
    later = MAGIC + msgspec.msgpack.encode([*known, "a field of a later version", 1])
    assert decode_datagram(later) == datagram


def test_datagram_of_another_version_of_the_protocol_is_told_by_its_number() -> None:
    frame = encode_datagram(Probe(incarnation=5, sequence=7))
    other = bytes([PROTOCOL_VERSION - 1])
    with pytest.raises(VersionMismatch) as caught:
        decode_datagram(frame[:3] + other + frame[4:])
    assert (caught.value.ours, caught.value.theirs) == (PROTOCOL_VERSION, PROTOCOL_VERSION - 1)
    for strange in (b"", b"SSI", b"XXX\x01", b"SSH-2.0-x"):
        with pytest.raises(BadMessage):
            decode_datagram(strange)


def test_roster_of_the_first_version_is_read() -> None:
    entry = ["n1", 1, "a" * 40, "10.0.0.1", 1, 2, "3.13.5", "n1", "root", 3, 4]
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(["s", 1, [entry], 2]), type=Roster)
    assert (read.nodes[0].version, read.nodes[0].signing_key, read.fault()) == ("", b"", "")
    newer = msgspec.structs.astuple(read.nodes[0])
    assert list(newer[: len(entry)]) == entry
    assert isinstance(read.nodes[0], RosterEntry)
