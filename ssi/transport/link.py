"""The asking end between agents: a DEALER to one peer's control or bulk socket."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import zmq
from zmq.utils.monitor import parse_monitor_message

from ssi.model.errors import SsiError
from ssi.protocol.codec import (
    VersionMismatch,
    decode_envelope,
    encode_envelope,
    error_of,
    tag_of,
)
from ssi.protocol.envelope import Failure, Reply, Request
from ssi.protocol.refusals import LinkDown, LinkRefused, Overloaded, TimedOut
from ssi.transport.keys import KeyPair
from ssi.transport.linkrate import LinkReading, read_link
from ssi.transport.pump import Pump, PumpFull

_log = logging.getLogger(__name__)

LinkState = Literal["connecting", "connected", "refused"]

CONNECT_WAIT_S = 1.0
"""How long a request waits for a connection that is not there yet."""

DIALS_AGAIN_S = 1.0
"""How old a vain attempt to connect is that a request does not wait for: it makes another.

ZeroMQ rests for up to 2 s between two attempts, and in that time the peer may have come back.
"""

RETRY_REFUSED_S = 1.0
"""After which a peer that refused is tried again: it may have been given a newer roster."""

_REFUSALS = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "it does not know this machine's key",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "its key is not the one in the roster",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "what listens there is no agent of ssi",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a peer listens, and the key that it must prove to have."""

    node: str
    address: str
    port: int
    public_key: str

    @property
    def url(self) -> str:
        """As ZeroMQ wants it."""
        return tcp_url(self.address, self.port)


def tcp_url(address: str, port: int) -> str:
    """An address as ZeroMQ wants it; that of IPv6 in brackets."""
    host = f"[{address}]" if ":" in address else address
    return f"tcp://{host}:{port}"


class Link:
    """Asks one peer. Any number of requests may be under way; each has its own deadline.

    A request never waits in a queue for a peer that is away: it would be carried out long after
    its asker gave up. It waits :data:`CONNECT_WAIT_S` for the connection and then fails.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: Endpoint, key: KeyPair
    ) -> None:
        self.endpoint = endpoint
        self.state: LinkState = "connecting"
        self.problem = ""
        self.speaks: int | None = None
        """The version of the protocol that the peer answered by, where that is another."""
        self._pending: dict[bytes, asyncio.Future[Reply]] = {}
        self._connected = asyncio.Event()
        self._turns = asyncio.Lock()
        self._retry: asyncio.TimerHandle | None = None
        self._broken_handshakes = 0
        self._descriptor = -1
        self._tried_at = asyncio.get_running_loop().time()
        socket = context.socket(zmq.DEALER)
        _configure(socket)
        socket.curve_publickey = key.public.encode()
        socket.curve_secretkey = key.secret.encode()
        socket.curve_serverkey = endpoint.public_key.encode()
        self._monitor = Pump(_monitor_of(socket), self._on_monitor)
        self._socket = socket
        self._pump = Pump(socket, self._on_message)
        socket.connect(endpoint.url)

    def __repr__(self) -> str:
        return f"Link({self.endpoint.node} {self.endpoint.url} {self.state})"

    async def ask(self, request: Request, timeout_s: float) -> Reply:
        """The peer's reply.

        Raises:
            LinkDown: No connection, or it broke meanwhile.
            LinkRefused: The keys do not fit.
            TimedOut: No answer within ``timeout_s``.
            Overloaded: Too many requests wait for this peer.
            SsiError: Whatever the peer failed with.
        """
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        give_up_at = asked_at + timeout_s
        async with self._turns:  # else one that is asked at that moment would pass those who wait
            await self._wait_connected(min(give_up_at, asked_at + CONNECT_WAIT_S))
        answer: asyncio.Future[Reply] = loop.create_future()
        self._pending[request.id] = answer
        timer = loop.call_at(give_up_at, self._expire, request, answer, timeout_s)
        try:
            self._pump.send([encode_envelope(request)])
            return await answer
        except PumpFull as exc:
            raise Overloaded(node=self.endpoint.node, queue="link") from exc
        finally:
            timer.cancel()
            if self._pending.get(request.id) is answer:  # else it was asked again under its id
                del self._pending[request.id]

    @property
    def is_busy(self) -> bool:
        """Whether something that was asked is still to be answered."""
        return bool(self._pending)

    def close(self) -> None:
        """Ends the link; what is pending fails."""
        if self._retry is not None:
            self._retry.cancel()
        with suppress(zmq.ZMQError):
            self._socket.disable_monitor()
        self._monitor.close()
        self._pump.close()
        self.state, self.problem = "connecting", "the link was closed"
        self._connected.set()  # nobody is to wait for a connection that will not come
        self._fail_pending(LinkDown(node=self.endpoint.node, reason=self.problem))

    def reading(self) -> LinkReading | None:
        """How fast the connection is; None while there is none."""
        return read_link(self._descriptor) if self._descriptor >= 0 else None

    async def _wait_connected(self, until: float) -> None:
        if self.state == "connecting":
            self._dial_again()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._connected.wait()
        if self.state == "refused":
            raise LinkRefused(node=self.endpoint.node, reason=self.problem)
        if self.state == "connecting":
            raise LinkDown(node=self.endpoint.node, reason=self.problem or "no connection")

    def _dial_again(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._socket.closed or now - self._tried_at < DIALS_AGAIN_S:
            return
        self._tried_at = now
        self._connect_anew()

    def _expire(self, request: Request, answer: asyncio.Future[Reply], timeout_s: float) -> None:
        if not answer.done():
            node, what = self.endpoint.node, tag_of(request.body)
            answer.set_exception(TimedOut(node=node, request=what, after_s=timeout_s))

    def _on_message(self, frames: list[zmq.Frame]) -> None:
        try:
            envelope = decode_envelope(frames[-1].buffer)
        except VersionMismatch as exc:
            exc.node = self.endpoint.node
            self.problem, self.speaks = exc.what(), exc.theirs
            self._fail_pending(exc)
            return
        except SsiError as exc:
            _log.warning("event=bad-reply node=%s reason=%s", self.endpoint.node, exc.what())
            return
        if isinstance(envelope, Request):
            _log.warning("event=unexpected-request node=%s", self.endpoint.node)
            return
        answer = self._pending.get(envelope.id)
        if answer is None or answer.done():
            return  # its asker has given up
        if isinstance(envelope, Failure):
            answer.set_exception(error_of(envelope))
        else:
            answer.set_result(envelope)

    def _on_monitor(self, frames: list[zmq.Frame]) -> None:
        told = parse_monitor_message([frame.bytes for frame in frames])
        event = zmq.Event(told["event"])
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.state, self.problem, self.speaks = "connected", "", None
            self._broken_handshakes = 0
            self._connected.set()
        elif event == zmq.EVENT_CONNECTED:
            self._descriptor = told["value"]
            self._tried_at = asyncio.get_running_loop().time()
        elif event in _REFUSALS:
            self._on_refusal(event)
        elif event == zmq.EVENT_CLOSED and self.state == "refused":
            self._on_nobody()
        elif event == zmq.EVENT_DISCONNECTED and self.state == "connected":
            self._on_disconnect()

    def _on_refusal(self, event: zmq.Event) -> None:
        if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            # A peer that dies within a handshake looks the same, but does so only once.
            self._broken_handshakes += 1
            if self._broken_handshakes < 2:
                return
        else:
            self._retry_soon()
        self.state, self.problem = "refused", _REFUSALS[event]
        self._connected.set()

    def _on_nobody(self) -> None:
        """Nobody listens there any more, so nobody refuses."""
        self.state, self.problem = "connecting", ""
        self._broken_handshakes = 0
        self._connected.clear()

    def _on_disconnect(self) -> None:
        self.state, self._descriptor = "connecting", -1
        self._tried_at = asyncio.get_running_loop().time()
        self._connected.clear()
        self._pump.forget_unsent()
        reason = "the connection broke; whether what was asked has been done is unknown"
        self._fail_pending(LinkDown(node=self.endpoint.node, reason=reason))

    def _retry_soon(self) -> None:
        """Connects again after a while, which ZeroMQ itself does not where the gate said no."""
        if self._retry is None:
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(RETRY_REFUSED_S, self._connect_again)

    def _connect_again(self) -> None:
        self._retry = None
        if self.state == "refused":
            self._connect_anew()

    def _connect_anew(self) -> None:
        with suppress(zmq.ZMQError):  # after some refusals there is nothing to disconnect
            self._socket.disconnect(self.endpoint.url)
        self._socket.connect(self.endpoint.url)

    def _fail_pending(self, error: SsiError) -> None:
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(error)


def _configure(socket: zmq.Socket[bytes]) -> None:
    socket.linger = 0
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.IPV6, 1)
    # A cut link is noticed in 4 s, and a reconnect is tried at once and then ever more rarely.
    socket.setsockopt(zmq.HEARTBEAT_IVL, 2000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 4000)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, 1000)
    socket.setsockopt(zmq.TCP_MAXRT, 5000)
    socket.setsockopt(zmq.RECONNECT_IVL, 100)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)


def _monitor_of(socket: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    events = zmq.EVENT_CONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED
    events |= zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
    for event in _REFUSALS:
        events |= event
    return socket.get_monitor_socket(events)
