"""The other end of a lane or channel: sealed frames over TCP, in memory that is used for each.

A frame is four bytes of length, that many bytes of AES-256-GCM, and the tag. Both ends number their
frames, so none can be repeated, left out or turned round. Who cannot seal with the key of the lane
is dropped at the first frame. It runs on whatever watches its socket: a shim's loop, or asyncio's.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final, Protocol

from nodeagent.mechanism.aesgcm import TAG_BYTES, Sealer, address_of

FRAME_BYTES: Final = 256 * 1024
"""The most that one frame carries."""

_HEAD_BYTES: Final = 4


class Watcher(Protocol):
    """What calls back when a socket is ready."""

    def watch(
        self,
        descriptor: int,
        readable: Callable[[], None] | None = None,
        writable: Callable[[], None] | None = None,
    ) -> None:
        """From now on exactly these are called; none: forgets the descriptor."""


class SealedPeer:
    """A connected socket. It reads only while it is told to, and writes one frame at a time.

    Args:
        loop: That watches it.
        peer: Non-blocking; perhaps not connected yet.
        sealer: For what is sent.
        opener: For what is received.
        on_frame: Called with what each frame carried, which is valid during the call.
        on_room: Called when another frame may be sent.
        on_gone: Called once, when the connection has ended or broke its rules.
    """

    def __init__(
        self,
        loop: Watcher,
        peer: socket.socket,
        sealer: Sealer,
        opener: Sealer,
        *,
        on_frame: Callable[[memoryview], None],
        on_room: Callable[[], None],
        on_gone: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._peer = peer
        self._sealer = sealer
        self._opener = opener
        self._on_frame = on_frame
        self._on_room = on_room
        self._on_gone = on_gone
        self._out = bytearray(_HEAD_BYTES + FRAME_BYTES + TAG_BYTES)
        self._in = bytearray(_HEAD_BYTES + FRAME_BYTES + TAG_BYTES)
        self._plain = bytearray(FRAME_BYTES)
        self._out_at, self._out_end, self._in_end = 0, 0, 0
        self._reads = True
        self.open = True
        self._watch()

    @property
    def has_sent(self) -> bool:
        """Whether a frame has left."""
        return self._out_end > 0 and self._out_at == self._out_end

    @property
    def may_send(self) -> bool:
        """Whether the last frame has left."""
        return self.open and self._out_at == self._out_end

    def send(self, data: bytes | bytearray, offset: int, size: int) -> None:
        """Sends so many bytes of a buffer as one frame; only when :attr:`may_send`."""
        assert self.may_send and size <= FRAME_BYTES
        self._out[:_HEAD_BYTES] = size.to_bytes(_HEAD_BYTES, "big")
        source = address_of(data, offset) if size else address_of(self._plain)
        self._sealer.seal(source, size, address_of(self._out, _HEAD_BYTES))
        self._out_at, self._out_end = 0, _HEAD_BYTES + size + TAG_BYTES
        self._write()

    def read_frames(self, *, wanted: bool) -> None:
        """From now on frames are read, or left to wait in the connection."""
        if wanted != self._reads:
            self._reads = wanted
            self._watch()

    def close(self) -> None:
        """Ends the connection; harmless twice."""
        if self.open:
            self.open = False
            self._loop.watch(self._peer.fileno())
            self._peer.close()
            self._sealer.close()
            self._opener.close()

    def _watch(self) -> None:
        if self.open:
            self._loop.watch(
                self._peer.fileno(),
                readable=self._read if self._reads else None,
                writable=self._write_on if self._out_at < self._out_end else None,
            )

    def _write_on(self) -> None:
        self._write()
        if self.may_send:
            self._on_room()

    def _write(self) -> None:
        try:
            while self._out_at < self._out_end:
                with memoryview(self._out) as whole:
                    self._out_at += self._peer.send(whole[self._out_at : self._out_end])
        except BlockingIOError:
            pass
        except OSError:
            self._end()
        self._watch()

    def _read(self) -> None:
        """The head of a frame and what follows it are mostly there together."""
        if self._receive() and self._in_end == _HEAD_BYTES:
            self._receive()

    def _receive(self) -> bool:
        """Whether something came that keeps the rules."""
        try:
            with memoryview(self._in) as whole:
                count = self._peer.recv_into(whole[self._in_end : self._needed])
        except BlockingIOError:
            return False
        except OSError:
            count = 0
        if count == 0:
            self._end()
            return False
        self._in_end += count
        if self._in_end == self._needed and self._in_end > _HEAD_BYTES:
            self._take_frame()
        elif self._in_end == _HEAD_BYTES and self._needed > len(self._in):
            self._end()  # no frame of ours is so long
            return False
        return True

    @property
    def _needed(self) -> int:
        if self._in_end < _HEAD_BYTES:
            return _HEAD_BYTES
        return _HEAD_BYTES + int.from_bytes(self._in[:_HEAD_BYTES], "big") + TAG_BYTES

    def _take_frame(self) -> None:
        size = self._in_end - _HEAD_BYTES - TAG_BYTES
        self._in_end = 0
        if not self._opener.open(address_of(self._in, _HEAD_BYTES), size, address_of(self._plain)):
            self._end()
            return
        with memoryview(self._plain) as whole, whole[:size] as data:
            self._on_frame(data)

    def _end(self) -> None:
        if self.open:
            self.close()
            self._on_gone()
