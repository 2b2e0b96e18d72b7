"""A lane: a pipe's bytes straight from one job's shim to another's, once there are many of them.

It only speeds up what the agents do by themselves, and may end at any moment: numbers are those of
the streams, so whoever goes on asks the reader's shim how far it is. The reader's end connects, and
says in its first frame from which byte on it wants them. Then the source's end sends bytes, and an
empty frame after the last of all; the reader's end sends up to which number it has taken them.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from nodeagent.mechanism.aesgcm import Sealer
from nodeagent.mechanism.loop import Loop
from nodeagent.mechanism.sealedpeer import FRAME_BYTES, SealedPeer
from nodeagent.shim.messages import STREAM_BUFFER_BYTES
from nodeagent.shim.onepeer import HELLO_S, OnePeer, notice_cuts
from nodeagent.shim.pump import Inlet, Outlet
from nodeagent.shim.sink import MemorySink

WINDOW_BYTES: Final = 4 * 1024 * 1024
"""Held at the source's end until its peer has taken it: what flies while either end sleeps."""

_TO_READER: Final = 1
_TO_SOURCE: Final = 2
_NUMBER_BYTES: Final = 8

_log: Final = logging.getLogger(__name__)


class SourceLane:
    """The end at the job that writes. Listens for one peer, on a port of its own.

    Args:
        loop: That watches it.
        outlet: Whose bytes are sent; they are held in memory.
        key: Of this lane alone.
        is_whole: Whether the end of the stream is the whole truth.

    Raises:
        CipherMissing: This machine cannot seal.
        OSError: No port is free.
    """

    def __init__(
        self, loop: Loop, outlet: Outlet, key: bytes, is_whole: Callable[[], bool]
    ) -> None:
        assert isinstance(outlet.sink, MemorySink)
        self.outlet = outlet
        self._stream = outlet.sink.stream
        self._loop = loop
        self._is_whole = is_whole
        self._sent = -1
        self._end_sent = False
        self._reader = OnePeer(
            loop,
            Sealer(key, _TO_READER),
            Sealer(key, _TO_SOURCE),
            on_frame=self._on_frame,
            on_room=self.go_on,
            on_gone=self.close,
        )
        self.port = self._reader.port

    @property
    def is_over(self) -> bool:
        """Whether it carries nothing any more."""
        return self._reader.is_over

    def close(self) -> None:
        """Ends it; what has not arrived is still held. Harmless twice."""
        self._stream.limit_bytes = STREAM_BUFFER_BYTES
        self._reader.close()

    def go_on(self) -> None:
        """Sends what there is to be sent; called after each batch of events."""
        peer = self._reader.peer
        while peer is not None and peer.may_send and self._sent >= 0 and not self._end_sent:
            if self._sent < self._stream.end:
                piece, at = self._stream.piece_at(self._sent)
                size = min(len(piece) - at, FRAME_BYTES)
                self._sent += size
                peer.send(piece, at, size)
            elif self._stream.ended:
                self._end_sent = True
                if self._is_whole() and not self.outlet.refused:
                    peer.send(b"", 0, 0)
                else:
                    self.close()
            else:
                return

    def _on_frame(self, data: memoryview) -> None:
        number = int.from_bytes(data, "big")
        if self._sent < 0:
            if not self._stream.start <= number <= self._stream.end:
                self.close()  # the agents find out what is wrong, and say it
                return
            self._reader.greeted()
            self._sent = number
            self._stream.limit_bytes = WINDOW_BYTES
        self._stream.forget(min(number, self._sent))
        self.outlet.settle()
        self.go_on()


class ReaderLane:
    """The end at the job that reads.

    Args:
        loop: That watches it.
        inlet: That takes the bytes.
        writer: Under which id they are numbered there.
        address: Of the source's node.
        port: Of the source's lane.
        key: Of this lane alone.

    Raises:
        CipherMissing: This machine cannot seal.
        OSError: There is no way to that address.
    """

    def __init__(
        self, loop: Loop, inlet: Inlet, writer: bytes, address: str, port: int, key: bytes
    ) -> None:
        self.inlet = inlet
        self._loop = loop
        self._writer = writer
        self._taken = inlet.writers.taken(writer, 0)
        self._told = -1
        self._number = bytearray(_NUMBER_BYTES)
        sealer, opener = Sealer(key, _TO_SOURCE), Sealer(key, _TO_READER)
        family, *_, target = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )[0]
        connecting = socket.socket(family, socket.SOCK_STREAM)
        notice_cuts(connecting)
        with suppress(BlockingIOError):
            connecting.connect(target)
        self._peer = SealedPeer(
            loop,
            connecting,
            sealer,
            opener,
            on_frame=self._on_frame,
            on_room=self._tell,
            on_gone=self.close,
        )
        self._timer = loop.call_after(HELLO_S, self._give_up)
        self._tell()

    @property
    def is_over(self) -> bool:
        """Whether it carries nothing any more."""
        return not self._peer.open

    def close(self) -> None:
        """Ends it; the inlet knows what it has taken. Harmless twice."""
        self._timer.cancel()
        self._peer.close()

    def go_on(self) -> None:
        """Reads if there is room; called after each batch of events."""
        if not self.inlet.takes or self.inlet.stream.ended:
            self.close()
        elif self._peer.open:
            self._peer.read_frames(wanted=self.inlet.stream.room >= FRAME_BYTES)

    def _on_frame(self, data: memoryview) -> None:
        size = len(data)
        taken = self.inlet.take(self._writer, self._taken, data, end=size == 0)
        if taken != self._taken + size:
            self.close()  # it is paused or closed: the agents go on from where it is
            return
        self._taken = taken
        self._tell()
        self.go_on()

    def _tell(self) -> None:
        if self._peer.may_send and self._told != self._taken:
            self._told = self._taken
            self._number[:] = self._taken.to_bytes(_NUMBER_BYTES, "big")
            self._peer.send(self._number, 0, _NUMBER_BYTES)

    def _give_up(self) -> None:
        if not self._peer.has_sent:
            self.close()
