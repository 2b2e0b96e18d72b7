"""What a job wrote before its end, over a real pipe."""

from __future__ import annotations

import os

from nodeagent.mechanism.loop import Loop
from nodeagent.shim.messages import STREAM_BUFFER_BYTES
from nodeagent.shim.pump import Outlet
from nodeagent.shim.sink import MemorySink
from nodeagent.shim.stream import Stream
from tests.contract.wire import PATIENCE_S


def outlet_of(loop: Loop) -> tuple[Outlet, int]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    outlet = Outlet(loop, reader, MemorySink(Stream()))
    outlet.resume()
    return outlet, writer


def held(outlet: Outlet) -> bytes:
    return outlet.sink.read(0, 1 << 20, peek=True)[1]


def test_it_catches_up_with_what_was_written_and_with_its_end(loop: Loop) -> None:
    outlet, writer = outlet_of(loop)
    os.write(writer, b"some")
    outlet.catch_up()
    assert (held(outlet), outlet.sink.ended) == (b"some", False)
    os.write(writer, b" more")
    os.close(writer)
    outlet.catch_up()
    assert (held(outlet), outlet.sink.ended) == (b"some more", True)
    outlet.catch_up()


def test_it_takes_no_more_than_there_is_room_for_and_nothing_while_paused(loop: Loop) -> None:
    outlet, writer = outlet_of(loop)
    outlet.pause()
    os.write(writer, b"some")
    outlet.catch_up()
    assert held(outlet) == b""
    outlet.resume()
    outlet.sink.take(bytes(STREAM_BUFFER_BYTES))
    outlet.catch_up()
    assert outlet.sink.end == STREAM_BUFFER_BYTES
    os.close(writer)
    outlet.catch_up()
    assert not outlet.sink.ended, "its last bytes are in the pipe"
    outlet.sink.read(outlet.sink.end, 1, peek=False)
    loop.call_after(PATIENCE_S, loop.stop)
    loop.after_events(lambda: loop.stop() if outlet.sink.ended else None)
    outlet.settle()
    loop.run()
    assert outlet.sink.end == STREAM_BUFFER_BYTES + len(b"some")
