"""The sockets of the heartbeat plane, and which way a datagram goes to whom.

There are two ways to a member: our connection to it, and its connection to us. A datagram takes
the one on which the member was heard last, so that a member whose side refuses us as yet, or which
came back at another address, is still talked to. Where there is only its connection, that is used
as long as it stands, for a handshake costs both sides more than a hundred datagrams.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import zmq

from nodeagent.pulse.inbox import Inbox
from nodeagent.pulse.link import Link, configure, dial
from ssi.transport.gate import DOMAIN
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint
from ssi.transport.listener import PortTaken

BUDGET: Final = 256
"""Datagrams taken from one socket before the next has its turn."""

FRESH_S: Final = 3.0
"""For so long after it was heard from, a member's own connection is trusted to work."""

IDLE_S: Final = 120.0
"""A connection that was not used for so long is closed. So up to some 200 members nearly all links
stand, and a probe needs no handshake; among 1,000 a node holds some 250, of 400 descriptors."""


@dataclass(slots=True)
class _Way:
    """How to answer on a peer's connection to us."""

    routing_id: bytes
    heard_at_s: float


class Routes:
    """Owned by the heartbeat thread, which alone may call it once it runs.

    Args:
        context: With its gate up already.
        key: Of this agent.
        pings: Whether ZeroMQ shall ping on a link that is made now; one that stands keeps its ways.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], key: KeyPair, pings: Callable[[], bool]
    ) -> None:
        self._context = context
        self._key = key
        self._pings = pings
        self._listener: zmq.Socket[bytes] | None = None
        self._links: dict[str, Link] = {}
        self._names: dict[zmq.Socket[bytes], str] = {}
        self._ways: dict[str, _Way] = {}
        self._inbox = Inbox()

    def bind(self, address: str, port: int) -> int:
        """Listens; the port, a free one for 0.

        Raises:
            PortTaken: Somebody else listens there.
        """
        socket = self._context.socket(zmq.ROUTER)
        configure(socket)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.curve_server = True
        socket.curve_secretkey = self._key.secret.encode()
        socket.zap_domain = DOMAIN.encode()
        host = f"[{address}]" if ":" in address else address
        try:
            socket.bind(f"tcp://{host}:{port or '*'}")
        except zmq.ZMQError as exc:
            socket.close(linger=0)
            raise PortTaken(address=address, port=port, reason=exc.strerror or str(exc)) from exc
        self._listener = socket
        self._inbox.add(socket)
        endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
        assert isinstance(endpoint, bytes)
        return int(endpoint.rstrip(b"\0").rsplit(b":", 1)[1])

    def watch(self, descriptor: int) -> None:
        """Waiting for datagrams ends when this can be read, too."""
        self._inbox.watch(descriptor)

    def send(self, to: str, endpoint: Endpoint | None, payload: bytes) -> None:
        """Sends now or never.

        Args:
            to: Name under which the receiver is remembered.
            endpoint: Where it listens; None for one that only its own connection leads to.
            payload: The datagram.
        """
        now_s = time.monotonic()
        link, way = self._links.get(to), self._ways.get(to)
        if way is not None and (endpoint is None or _serves(way, link, now_s)):
            if self._answer(way, payload):
                return
            del self._ways[to]
        if endpoint is None:
            return
        link = self._link(to, endpoint, now_s)
        link.use(now_s)
        with suppress(zmq.Again):
            link.socket.send(payload, zmq.DONTWAIT)
        self._inbox.touched(link.socket)

    def receive(self, timeout_s: float) -> list[tuple[str, bytes, bytes]]:
        """Waits for datagrams, or until another descriptor is ready that is watched.

        All that is there is taken before any is answered, for an answer may close a connection.

        Returns:
            Of each its sender's name; or, where it came on the sender's own connection, its key
            and routing id; and the datagram.
        """
        filled = self._inbox.wait(timeout_s)
        now_s = time.monotonic()
        taken: list[tuple[str, bytes, bytes]] = []
        for socket in filled:
            name = self._names.get(socket)
            for frames in _drain(socket):
                if name is None:
                    key = str(frames[-1].get("User-Id"))
                    taken.append((key, frames[0].bytes, frames[-1].bytes))
                else:
                    self._links[name].hear(now_s)
                    taken.append((name, b"", frames[-1].bytes))
            self._inbox.touched(socket)  # there may be more of them than it may bring at a time
        return taken

    def came_from(self, name: str, routing_id: bytes) -> None:
        """Remembers that this is the member's own connection."""
        self._ways[name] = _Way(routing_id, time.monotonic())

    def sweep(self) -> None:
        """Closes what nobody uses."""
        now_s = time.monotonic()
        for name, link in list(self._links.items()):
            if now_s - link.used_at_s > IDLE_S:
                self._close(name)
        for name, way in list(self._ways.items()):
            if now_s - way.heard_at_s > IDLE_S:
                del self._ways[name]

    def close(self, linger_ms: int = 0) -> None:
        """Closes all; what was sent just now still gets so long."""
        self._inbox.close()
        for link in self._links.values():
            link.socket.close(linger=linger_ms)
        self._links.clear()
        self._names.clear()
        if self._listener is not None:
            self._listener.close(linger=linger_ms)

    def _answer(self, way: _Way, payload: bytes) -> bool:
        assert self._listener is not None
        try:
            self._listener.send_multipart([way.routing_id, payload], zmq.DONTWAIT)
        except zmq.Again:
            return True  # it reads too slowly, and is not helped by more
        except zmq.ZMQError as exc:
            if exc.errno != zmq.EHOSTUNREACH:
                raise
            return False  # it has closed that connection
        finally:
            self._inbox.touched(self._listener)
        return True

    def _link(self, name: str, endpoint: Endpoint, now_s: float) -> Link:
        link = self._links.get(name)
        if link is not None and (link.endpoint != endpoint or link.is_mute(now_s)):
            self._close(name)
            link = None
        if link is None:
            link = dial(self._context, self._key, endpoint, pings=self._pings())
            self._links[name] = link
            self._names[link.socket] = name
            self._inbox.add(link.socket)
        return link

    def _close(self, name: str) -> None:
        link = self._links.pop(name)
        del self._names[link.socket]
        self._inbox.remove(link.socket)
        link.socket.close(linger=0)


def _serves(way: _Way, link: Link | None, now_s: float) -> bool:
    """Whether a member's own connection is the better one."""
    if link is None:
        return now_s - way.heard_at_s < IDLE_S
    return way.heard_at_s > link.heard_at_s and now_s - way.heard_at_s < FRESH_S


def _drain(socket: zmq.Socket[bytes]) -> Iterator[list[zmq.Frame]]:
    for _ in range(BUDGET):
        try:
            yield socket.recv_multipart(zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return
