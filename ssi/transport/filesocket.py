"""The socket of a link to a file server, and what it wants of a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import zmq

from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint


class Loop(Protocol):
    """What calls back."""

    def watch(self, descriptor: int, readable: Callable[[], None] | None = None) -> object:
        """From now on ``readable`` is called when ``descriptor`` is; without it, nothing is."""

    def call_after(self, delay_s: float, callback: Callable[[], None]) -> object:
        """Calls ``callback`` once, ``delay_s`` from now."""


def dealer(
    context: zmq.Context[zmq.Socket[bytes]], key: KeyPair, endpoint: Endpoint
) -> zmq.Socket[bytes]:
    """A socket that talks to the server of that endpoint alone, neither connected nor bound yet."""
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    for option, value in (
        (zmq.IMMEDIATE, 1), (zmq.IPV6, 1), (zmq.SNDHWM, 0), (zmq.RCVHWM, 0),
        (zmq.HEARTBEAT_IVL, 2000), (zmq.HEARTBEAT_TIMEOUT, 4000),
        (zmq.CONNECT_TIMEOUT, 1000), (zmq.TCP_MAXRT, 5000),
        (zmq.RECONNECT_IVL, 100), (zmq.RECONNECT_IVL_MAX, 1000),
    ):  # fmt: skip
        socket.setsockopt(option, value)
    socket.curve_publickey = key.public.encode()
    socket.curve_secretkey = key.secret.encode()
    socket.curve_serverkey = endpoint.public_key.encode()
    return socket


def descriptor_of(socket: zmq.Socket[bytes]) -> int:
    """What becomes readable once there is something to be done; it tells so once."""
    return int(socket.getsockopt(zmq.FD))
