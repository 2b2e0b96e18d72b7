"""The file server's end of CURVE, and the ways by which answers go back.

A ROUTER drops what it cannot send at its high-water mark, so it has none; what bounds it is that a
mount may have only so much under way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import zmq

_COPY_BELOW_BYTES: Final = 65536


class Route(Protocol):
    """Where an answer goes."""

    def send(self, frames: Sequence[bytes]) -> None:
        """Sends a message, and the data behind it; any thread. Nothing where nobody is there."""


class Router:
    """A ROUTER; any thread.

    Args:
        socket: Bound, or connected to those who listen.
        wake: Lets whoever receives look again.
    """

    def __init__(self, socket: zmq.Socket[bytes], wake: Callable[[], None]) -> None:
        self.descriptor = int(socket.getsockopt(zmq.FD))
        """Readable when there is something to look for; it tells so once."""
        self._socket = socket
        self._wake = wake
        self._lock = threading.Lock()

    def receive(self) -> list[zmq.Frame] | None:
        """The next message; None where there is none."""
        with self._lock:
            try:
                return self._socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return None

    def send(self, routing_id: bytes, frames: Sequence[bytes]) -> None:
        """Sends to a connection; nothing where it has ended."""
        with self._lock:
            try:
                copies = len(frames[-1]) < _COPY_BELOW_BYTES
                self._socket.send_multipart([routing_id, *frames], zmq.DONTWAIT, copy=copies)
            except zmq.ZMQError as exc:
                if exc.errno not in {zmq.EHOSTUNREACH, zmq.EAGAIN}:
                    raise
            # The descriptor is edge-triggered: to send may have taken the event away.
            more = int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN
        if more:
            self._wake()

    def act(self, use: Callable[[zmq.Socket[bytes]], None]) -> None:
        """Does something with the socket."""
        with self._lock:
            use(self._socket)
        self._wake()


@dataclass(frozen=True, slots=True)
class CurveRoute:
    """A connection of CURVE."""

    router: Router
    routing_id: bytes

    def send(self, frames: Sequence[bytes]) -> None:
        self.router.send(self.routing_id, frames)
