"""Sealed records over a real connection: exact, in their order, or none at all."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from nodeagent.direct.buffers import Buffers
from nodeagent.direct.records import COPIED_BYTES, SMALL_BYTES, Broken, Records
from nodeagent.mechanism.aesgcm import KEY_BYTES, TAG_BYTES, Sealer
from ssi.protocol.filerequests import MAX_DATA_BYTES

KEY = bytes(range(KEY_BYTES))
HERE, THERE = 1, 2


class Pair:
    """Two ends; what the first sends may be altered on its way."""

    def __init__(self) -> None:
        self.near, self._out = socket.socketpair()
        self._in, self.far = socket.socketpair()
        for each in (self.near, self._out, self._in, self.far):
            each.setblocking(False)
        self.sender = self.records(self.near, HERE, THERE)
        self.receiver = self.records(self.far, THERE, HERE)
        self.held = b""

    @staticmethod
    def records(connection: socket.socket, sends: int, receives: int) -> Records:
        return Records(connection, Buffers(), Sealer(KEY, sends), Sealer(KEY, receives))

    def sent(self, head: bytes, data: bytes = b"") -> bytes:
        """The bytes of one record as they are on the wire."""
        self.sender.send(head, data)
        on_wire = b""
        while True:
            try:
                on_wire += self._out.recv(1 << 20)
            except BlockingIOError:
                if not self.sender.unsent_bytes:
                    return on_wire
                self.sender.flush()

    def deliver(self, on_wire: bytes) -> list[tuple[bytes, bytes]]:
        """What the other end makes of such bytes."""
        told = []
        while True:
            try:
                on_wire = on_wire[self._in.send(on_wire) :] if on_wire else b""
            except BlockingIOError:
                pass
            while (record := self.receiver.receive()) is not None:
                told.append((record.head, bytes(record.data)))
            if not on_wire:
                return told

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()
        self._out.close()
        self._in.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


SIZES = (
    0, 1, 15, 16, 17, COPIED_BYTES, COPIED_BYTES + 1, SMALL_BYTES - 21, SMALL_BYTES,
    SMALL_BYTES + 1, MAX_DATA_BYTES,
)  # fmt: skip


@pytest.mark.parametrize("piece", [1, 7, 65536, 1 << 22])
def test_what_is_sent_arrives_as_it_was_however_it_is_cut(pair: Pair, piece: int) -> None:
    if piece < 16:
        wanted = [(os.urandom(20), os.urandom(size)) for size in (0, 3, 100, 16, 1000)]
    else:
        wanted = [(os.urandom(20 + size % 50), os.urandom(size)) for size in SIZES * 2]
    on_wire = b"".join(pair.sent(head, data) for head, data in wanted)
    told: list[tuple[bytes, bytes]] = []
    for at in range(0, len(on_wire), piece):
        told += pair.deliver(on_wire[at : at + piece])
    assert told == wanted


def test_message_without_data_may_be_long(pair: Pair) -> None:
    head = os.urandom(300_000)
    assert pair.deliver(pair.sent(head)) == [(head, b"")]


def test_what_does_not_go_out_at_once_goes_out_later_in_its_order(pair: Pair) -> None:
    wanted = [(b"%d" % number, os.urandom(number * 40_000)) for number in range(30)]
    for head, data in wanted:
        pair.sender.send(head, data)
    assert pair.sender.unsent_bytes > MAX_DATA_BYTES
    on_wire = b""
    while pair.sender.unsent_bytes:
        pair.sender.flush()
        on_wire += pair._out.recv(1 << 22)
    while True:
        try:
            on_wire += pair._out.recv(1 << 22)
        except BlockingIOError:
            break
    assert pair.deliver(on_wire) == wanted


Harm = Callable[[Pair, bytes, bytes], bytes]
HARMS: dict[str, Harm] = {
    "a changed byte": lambda _pair, one, two: one[:9] + bytes([one[9] ^ 1]) + one[10:] + two,
    "a changed tag": lambda _pair, one, two: one[:-1] + bytes([one[-1] ^ 1]) + two,
    "a repeated record": lambda _pair, one, two: one + one + two,
    "a record left out": lambda _pair, _one, two: two,
    "records turned round": lambda _pair, one, two: two + one,
    "a record cut short": lambda _pair, one, two: one[:-20] + two,
    "a shorter length": lambda _pair, one, two: bytes([one[0] - 1]) + one[1:] + two,
    "a longer length": lambda _pair, one, two: bytes([one[0] + 1]) + one[1:] + two,
    "an endless length": lambda _pair, one, two: b"\xff\xff\xff\xff" + one[4:] + two,
    "nothing but a length": lambda _pair, one, two: bytes(4 + TAG_BYTES) + one + two,
}


@pytest.mark.parametrize("harm", HARMS)
def test_harm_on_the_way_ends_the_connection(pair: Pair, harm: str) -> None:
    assert pair.deliver(pair.sent(b"before", b"1")) == [(b"before", b"1")]
    one, two = pair.sent(b"one", b"x" * 100), pair.sent(b"two", b"y" * 100)
    with pytest.raises(Broken):
        for _ in range(2):
            told = pair.deliver(HARMS[harm](pair, one, two))
            assert told in ([], [(b"one", b"x" * 100)]), "what came before the harm"


def test_harm_to_a_large_record_ends_the_connection(pair: Pair) -> None:
    on_wire = bytearray(pair.sent(b"large", bytes(MAX_DATA_BYTES)))
    on_wire[len(on_wire) // 2] ^= 1
    with pytest.raises(Broken):
        pair.deliver(bytes(on_wire))


def test_record_that_is_sent_back_is_refused(pair: Pair) -> None:
    """An end that took its own records for the other's could be made to answer itself."""
    on_wire = pair.sent(b"to the other end")
    pair._out.send(on_wire)
    with pytest.raises(Broken):
        pair.sender.receive()


def test_same_message_is_never_the_same_on_the_wire(pair: Pair) -> None:
    """A nonce that came twice would show as the same bytes for the same message."""
    seen = {pair.sent(b"the same", bytes(32)) for _ in range(300)}
    other = Pair.records(pair._out, THERE, HERE)
    other.send(b"the same", bytes(32))
    seen.add(pair.near.recv(1 << 16))
    assert len(seen) == 301
    tags = {each[-TAG_BYTES:] for each in seen}
    assert len(tags) == 301


def test_another_key_opens_nothing(pair: Pair) -> None:
    pair.receiver = Records(
        pair.far, Buffers(), Sealer(bytes(KEY_BYTES), THERE), Sealer(bytes(KEY_BYTES), HERE)
    )
    with pytest.raises(Broken):
        pair.deliver(pair.sent(b"hello"))


def test_end_of_the_connection_is_told(pair: Pair) -> None:
    pair._in.close()
    with pytest.raises(Broken):
        pair.receiver.receive()
    with pytest.raises(Broken):
        pair.receiver.send(b"too late")
