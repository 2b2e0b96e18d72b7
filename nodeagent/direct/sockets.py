"""TCP sockets for direct connections: where the server listens, and what both ends set."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

from nodeagent.mechanism import tcpsilence

SILENT_MS: Final = 4000
"""What was sent and is not acknowledged for so long has met a cut link, as ZeroMQ sees it."""

_BACKLOG: Final = 64


def listen(address: str, wished: int) -> socket.socket:
    """Listens on a port, and on any where somebody else has it.

    Args:
        address: ``*`` for everywhere.
        wished: The port.

    Raises:
        OSError: The address is not one of this machine.
    """
    if address == "*":
        address = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - as was asked
    try:
        return _listener(address, wished)
    except (OSError, OverflowError):
        return _listener(address, 0)


def _listener(address: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(found[0], socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if found[0] == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(found[4])
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def dial(address: str, port: int) -> socket.socket:
    """Begins to connect to an address, which is no name: to look that up would take its time.

    Raises:
        OSError: There is no way there.
    """
    numeric = socket.AI_NUMERICHOST
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=numeric)[0]
    connection = socket.socket(found[0], socket.SOCK_STREAM)
    try:
        prepare(connection)
        with suppress(BlockingIOError):
            connection.connect(found[4])
    except OSError:
        connection.close()
        raise
    return connection


def prepare(connection: socket.socket) -> None:
    """Nothing waits to be sent, and a link that is cut is noticed."""
    tcpsilence.prepare(connection, idle_s=2, again_s=1, unsent_ms=SILENT_MS)
