"""A port that is open for a moment and for one peer, who has to know a key."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from nodeagent.mechanism.loop import Loop
from nodeagent.mechanism.tcpsilence import prepare

HELLO_S: Final = 2.0
"""How long a peer is waited for, and a connection to one."""


class OnePeer:
    """Listens on all addresses of the machine, until the first connection.

    Args:
        loop: That watches it.
        on_peer: Is given the connection, which does not block.

    Raises:
        OSError: No port is free.
    """

    def __init__(self, loop: Loop, on_peer: Callable[[socket.socket], None]) -> None:
        self._loop = loop
        self._on_peer = on_peer
        self._listener = _listen()
        self._descriptor = self._listener.fileno()
        self.port: int = self._listener.getsockname()[1]
        self.open = True
        loop.watch(self._descriptor, readable=self._accept)

    def close(self) -> None:
        """Awaits nobody any more; harmless twice."""
        if self.open:
            self.open = False
            self._loop.watch(self._descriptor)
            self._listener.close()

    def _accept(self) -> None:
        try:
            connected, _ = self._listener.accept()
            notice_cuts(connected)
        except OSError:
            return
        self.close()
        self._on_peer(connected)


def notice_cuts(connection: socket.socket) -> None:
    """It does not block, and a peer that is cut off is noticed in time, as by the agents' links.

    Raises:
        OSError: It has ended already.
    """
    prepare(connection, idle_s=5, again_s=2, unsent_ms=10_000)


def _listen() -> socket.socket:
    if socket.has_dualstack_ipv6():
        listener = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        listener = socket.create_server(("", 0))
    listener.setblocking(False)
    return listener
