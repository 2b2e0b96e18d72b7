"""How soon a TCP connection of our own, beside those of ZeroMQ, notices that it was cut."""

from __future__ import annotations

import socket
from typing import Final

_UNANSWERED: Final = 3
"""Questions to a silent peer without an answer, after which the connection ends."""


def prepare(connection: socket.socket, *, idle_s: int, again_s: int, unsent_ms: int) -> None:
    """It does not block, nothing waits to be sent, and a link that is cut is noticed.

    Args:
        connection: Ours.
        idle_s: After so long without a word the peer is asked whether it is there.
        again_s: Between two of these questions.
        unsent_ms: After so long without an answer to what was sent the connection ends.

    Raises:
        OSError: It has ended already.

    Source: tcp(7).
    """
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_NODELAY, 1),
        (socket.TCP_KEEPIDLE, idle_s),
        (socket.TCP_KEEPINTVL, again_s),
        (socket.TCP_KEEPCNT, _UNANSWERED),
        (socket.TCP_USER_TIMEOUT, unsent_ms),
    ):
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
