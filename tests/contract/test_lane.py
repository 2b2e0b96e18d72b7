"""Both ends of a lane over real sockets and pipes: exact, sealed, and over when either end is."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from nodeagent.mechanism.aesgcm import KEY_BYTES, Sealer, address_of
from nodeagent.mechanism.loop import Loop
from nodeagent.shim.lane import WINDOW_BYTES, ReaderLane, SourceLane
from nodeagent.shim.pump import Inlet, Outlet
from nodeagent.shim.sink import MemorySink
from nodeagent.shim.stream import Stream

LIMIT_S = 60.0
KEY = bytes(range(KEY_BYTES))
WRITER = b"pipe"
MIB = 1 << 20


class Ends:
    """Two jobs in name only: what the first would write, and what the second would read."""

    def __init__(self, loop: Loop, *, key: bytes = KEY, limit_bytes: int = MIB) -> None:
        self.loop = loop
        self.stream = Stream(limit_bytes=limit_bytes)
        written, self.written = os.pipe()
        self.outlet = Outlet(loop, written, MemorySink(self.stream))
        self.read_end, stdin = os.pipe()
        os.set_blocking(self.read_end, False)
        os.set_blocking(stdin, False)
        self.inlet = Inlet(loop, stdin, Stream(), terminal=False)
        self.inlet.resume()
        self.read = bytearray()
        self.is_whole = True
        self.source = SourceLane(loop, self.outlet, KEY, lambda: self.is_whole)
        port = self.source.port
        self.reader = ReaderLane(loop, self.inlet, WRITER, "127.0.0.1", port, key)

    def run_until(self, happened: Callable[[], object], *, reads: bool = True) -> None:
        """Lets both ends work, and the second job read, until something is so."""

        def look() -> None:
            self.source.go_on()
            self.reader.go_on()
            if reads:
                self.read_some()
            if happened():
                self.loop.stop()
            else:
                self.loop.call_after(0.001, lambda: None)

        self.loop.after_events(look)
        late = self.loop.call_after(LIMIT_S, self.loop.stop)
        self.loop.run()
        assert late.pending, "it did not happen in time"
        late.cancel()

    def read_some(self) -> None:
        with suppress(BlockingIOError):
            self.read += os.read(self.read_end, 100_000)

    def close(self) -> None:
        self.source.close()
        self.reader.close()
        self.inlet.close()
        self.outlet.close()
        os.close(self.written)
        os.close(self.read_end)


def test_bytes_and_their_end_arrive_as_they_are_and_are_forgotten_behind(loop: Loop) -> None:
    ends = Ends(loop)
    data = os.urandom(9 * MIB + 5)
    given = 0

    def feed() -> bool:
        nonlocal given
        piece = data[given : given + min(ends.stream.room, 70_001)]
        if piece:
            ends.stream.append(piece)
        elif given == len(data):
            ends.stream.finish()
        given += len(piece)
        assert ends.stream.held <= WINDOW_BYTES
        return ends.inlet.stream.ended and len(ends.read) == len(data)

    ends.run_until(feed)
    assert ends.read == data
    assert ends.inlet.writers.taken(WRITER, 0) == len(data)
    ends.close()


def test_a_reader_that_does_not_read_stops_the_writer(loop: Loop) -> None:
    ends = Ends(loop)
    given = 0

    def feed() -> bool:
        nonlocal given
        room = ends.stream.room
        ends.stream.append(b"x" * min(room, 100_000))
        given += min(room, 100_000)
        full = ends.inlet.stream.room < 256 * 1024
        return full and room == 0

    ends.run_until(feed, reads=False)
    # What the source may hold, what the reader's shim may, and its pipe; all else would be growth.
    assert given <= WINDOW_BYTES + MIB + 256 * 1024
    assert not ends.source.is_over and not ends.reader.is_over
    ends.close()


def test_lane_that_breaks_off_leaves_both_ends_with_what_they_need_to_go_on(loop: Loop) -> None:
    ends = Ends(loop)
    data = os.urandom(2 * MIB)
    ends.stream.append(data)
    ends.run_until(lambda: len(ends.read) > 300_000)
    ends.reader.close()
    taken = ends.inlet.writers.taken(WRITER, 0)
    ends.run_until(lambda: ends.source.is_over)
    assert ends.stream.start <= taken
    assert ends.stream.peek(taken, 10)[1] == data[taken : taken + 10]
    ends.close()


def test_room_that_shrinks_with_the_end_of_a_lane_is_not_taken_for_the_end_of_output(
    loop: Loop,
) -> None:
    ends = Ends(loop)
    ends.stream.limit_bytes = WINDOW_BYTES
    ends.stream.append(bytes(2 * MIB))
    ends.outlet.resume()
    os.write(ends.written, b"the next")  # is noticed in the batch of events in which
    ends.source.close()  # the lane ends, and the stream holds more than it may from now on
    turns = iter(range(50))
    ends.run_until(lambda: next(turns) == 20, reads=False)
    assert not ends.stream.ended
    ends.stream.forget(2 * MIB)
    ends.outlet.settle()
    ends.run_until(lambda: ends.stream.held)
    assert ends.stream.peek(2 * MIB, 99)[1] == b"the next"
    ends.close()


def test_an_inlet_that_pauses_takes_nothing_more_and_ends_the_lane(loop: Loop) -> None:
    ends = Ends(loop)
    ends.stream.append(b"first")
    ends.run_until(lambda: ends.read == b"first")
    ends.inlet.pause()
    ends.stream.append(b"later")
    ends.run_until(lambda: ends.reader.is_over and ends.source.is_over)
    assert ends.inlet.writers.taken(WRITER, 0) == 5
    assert ends.stream.end - ends.stream.start >= len(b"later")
    ends.close()


def test_end_of_a_source_that_was_lost_is_not_told(loop: Loop) -> None:
    ends = Ends(loop)
    ends.is_whole = False
    ends.stream.append(b"part")
    ends.stream.finish()
    ends.run_until(lambda: ends.reader.is_over)
    assert not ends.inlet.stream.ended
    ends.close()


def test_who_does_not_have_the_key_gets_no_byte(loop: Loop) -> None:
    ends = Ends(loop, key=bytes(KEY_BYTES))
    ends.stream.append(b"secret")
    ends.run_until(lambda: ends.source.is_over and ends.reader.is_over)
    assert ends.read == b"" and ends.inlet.writers.taken(WRITER, 0) == 0
    ends.close()


def test_who_babbles_at_the_port_of_a_lane_is_dropped(loop: Loop) -> None:
    ends = Ends(loop)
    ends.reader.close()
    with socket.create_connection(("127.0.0.1", ends.source.port)) as stranger:
        stranger.sendall(b"\xff" * 4096)
        ends.run_until(lambda: ends.source.is_over)
    ends.close()


def test_a_port_where_nobody_listens_ends_the_lane_at_once(loop: Loop) -> None:
    ends = Ends(loop)
    ends.source.close()
    ends.run_until(lambda: ends.reader.is_over)
    ends.close()


@pytest.mark.parametrize("at", [0, 99, 100, 115])
def test_a_changed_byte_is_noticed(at: int) -> None:
    sealer, opener = Sealer(KEY, 1), Sealer(KEY, 1)
    plain, sealed = bytearray(100), bytearray(116)
    sealer.seal(address_of(b"x" * 100), 100, address_of(sealed))
    sealed[at] ^= 1
    assert not opener.open(address_of(sealed), 100, address_of(plain))


def test_a_frame_is_no_good_twice_or_in_the_other_direction() -> None:
    sealer, opener, other = Sealer(KEY, 1), Sealer(KEY, 1), Sealer(KEY, 2)
    plain, sealed = bytearray(100), bytearray(116)
    sealer.seal(address_of(b"x" * 100), 100, address_of(sealed))
    assert not other.open(address_of(sealed), 100, address_of(plain))
    assert opener.open(address_of(sealed), 100, address_of(plain))
    assert plain == b"x" * 100
    assert not opener.open(address_of(sealed), 100, address_of(plain))
