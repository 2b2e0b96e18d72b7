"""One connection of the heartbeat plane: how it is made, and when it counts as dead.

Who finds out that a connection is dead, or open at one end only (docs/adr/0022):

- Whoever dialled replaces it: where it was used and stays mute, at the next use. In a mesh that is
  probed whole ZeroMQ pings from that side, too. Beyond, a link is used once in many seconds, and
  pings on some forty of them would cost each node more than all else that it does in quiet.
- The kernel closes any that the other machine does not acknowledge, at either end, with no process
  woken. So a listener, whose options hold from its start for a mesh of any size, never pings.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

import zmq

from ssi.protocol.pulse import MAX_DATAGRAM_BYTES
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint

UNSENT: Final = 32
"""Datagrams that wait for one member; more are dropped, as they would be late."""

SILENT_S: Final = 5.0
"""A connection of ours that was used and brought nothing for so long is made anew: TCP would wait
ever longer before it tries again, and ZeroMQ does not come back where it was refused."""

UNPROVEN_S: Final = 1.5
"""Likewise for one that has never brought anything."""

PING_MS: Final = 2000
PONG_MS: Final = 4000
"""ZeroMQ asks the other end so often, and gives the connection up after so long without a word."""

QUIET_S: Final = 15
ASK_S: Final = 5
"""After so long without a packet the kernel asks the other's, and again at such distances. Source:
tcp(7), TCP_KEEPIDLE, TCP_KEEPINTVL."""

UNACKNOWLEDGED_MS: Final = 20_000
"""The kernel gives a connection up where the other's has said nothing for so long, whether it was
asked so or something was sent. Source: tcp(7), TCP_USER_TIMEOUT, which overrides TCP_KEEPCNT."""


@dataclass(slots=True)
class Link:
    """A connection that we dialled.

    Attributes:
        used_at_s: When something was sent last.
        asked_at_s: When something was sent for the first time since something came; infinity if
            nothing was.
        heard_at_s: When something came last.
    """

    socket: zmq.Socket[bytes]
    endpoint: Endpoint
    used_at_s: float
    asked_at_s: float = math.inf
    heard_at_s: float = -math.inf

    def use(self, now_s: float) -> None:
        """Something is sent now."""
        self.used_at_s = now_s
        self.asked_at_s = min(self.asked_at_s, now_s)

    def hear(self, now_s: float) -> None:
        """Something came."""
        self.heard_at_s, self.asked_at_s = now_s, math.inf

    def is_mute(self, now_s: float) -> bool:
        """Whether it was used, and nothing came of it for long."""
        limit_s = SILENT_S if self.heard_at_s > -math.inf else UNPROVEN_S
        return now_s - self.asked_at_s > limit_s


def dial(
    context: zmq.Context[zmq.Socket[bytes]], key: KeyPair, endpoint: Endpoint, *, pings: bool
) -> Link:
    """Begins a connection; it is there at once and carries what it can when it stands.

    Args:
        context: With its gate up already.
        key: Of this agent.
        endpoint: Of the other.
        pings: Whether ZeroMQ asks the other end whether it is there. It holds for this connection.
    """
    socket = context.socket(zmq.DEALER)
    configure(socket)
    if pings:
        socket.setsockopt(zmq.HEARTBEAT_IVL, PING_MS)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, PONG_MS)
    socket.curve_publickey = key.public.encode()
    socket.curve_secretkey = key.secret.encode()
    socket.curve_serverkey = endpoint.public_key.encode()
    socket.connect(endpoint.url)
    return Link(socket, endpoint, time.monotonic())


def configure(socket: zmq.Socket[bytes]) -> None:
    """Sets what holds for both sides, before the socket is bound or connected."""
    socket.linger = 0
    socket.setsockopt(zmq.SNDHWM, UNSENT)
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_DATAGRAM_BYTES)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, 1000)
    socket.setsockopt(zmq.RECONNECT_IVL, 100)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 400)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, QUIET_S)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, ASK_S)
    socket.setsockopt(zmq.TCP_MAXRT, UNACKNOWLEDGED_MS)
