"""A port that is open for a moment and for one peer, who has to know a key."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from nodeagent.mechanism.aesgcm import Sealer
from nodeagent.mechanism.loop import Loop
from nodeagent.mechanism.sealedpeer import SealedPeer
from nodeagent.mechanism.tcpsilence import prepare

HELLO_S: Final = 2.0
"""How long a peer is waited for, and a connection to one."""


class OnePeer:
    """Listens on all addresses of the machine, until the first connection.

    Args:
        loop: That watches it.
        sealer: For what is sent.
        opener: For what is received.
        on_frame: As :class:`~nodeagent.mechanism.sealedpeer.SealedPeer` has it.
        on_room: Likewise.
        on_gone: Likewise; also called where nobody has been :meth:`greeted` in time.

    Raises:
        OSError: No port is free.

    Attributes:
        peer: Who connected; None before.
    """

    def __init__(
        self,
        loop: Loop,
        sealer: Sealer,
        opener: Sealer,
        *,
        on_frame: Callable[[memoryview], None],
        on_room: Callable[[], None],
        on_gone: Callable[[], None],
    ) -> None:
        self.peer: SealedPeer | None = None
        self._loop = loop
        self._sealer = sealer
        self._opener = opener
        self._on_frame = on_frame
        self._on_room = on_room
        self._on_gone = on_gone
        self._listener = _listen()
        self._descriptor = self._listener.fileno()
        self._listens = True
        self.port: int = self._listener.getsockname()[1]
        self._hello = loop.call_after(HELLO_S, on_gone)
        loop.watch(self._descriptor, readable=self._accept)

    @property
    def is_there(self) -> bool:
        """Whether somebody is connected."""
        return self.peer is not None and self.peer.open

    @property
    def is_over(self) -> bool:
        """Whether nobody is, nor is awaited."""
        return not self._listens and not self.is_there

    @property
    def may_send(self) -> bool:
        """Whether a frame can be sent now."""
        return self.peer is not None and self.peer.may_send

    def greeted(self) -> None:
        """Its first word has come, and is right."""
        self._hello.cancel()

    def close(self) -> None:
        """Awaits nobody any more, and ends the connection; harmless twice."""
        self._hello.cancel()
        self._stop_listening()
        if self.peer is not None:
            self.peer.close()

    def _stop_listening(self) -> None:
        if self._listens:
            self._listens = False
            self._loop.watch(self._descriptor)
            self._listener.close()

    def _accept(self) -> None:
        try:
            connected, _ = self._listener.accept()
            notice_cuts(connected)
        except OSError:  # it went away at once; another may come in its time
            return
        self._stop_listening()
        self.peer = SealedPeer(
            self._loop,
            connected,
            self._sealer,
            self._opener,
            on_frame=self._on_frame,
            on_room=self._on_room,
            on_gone=self._on_gone,
        )


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
