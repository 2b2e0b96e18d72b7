"""The answering end between agents: a ROUTER whose peers are known by their keys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import zmq

from ssi.model.errors import SsiError
from ssi.protocol.codec import (
    BadMessage,
    VersionMismatch,
    decode_envelope,
    encode_envelope,
    make_failure,
)
from ssi.protocol.envelope import MAX_CONTROL_FRAME_BYTES, Failure, Reply, Request
from ssi.protocol.refusals import Overloaded
from ssi.transport.gate import DOMAIN
from ssi.transport.keys import KeyPair
from ssi.transport.pump import Pump, PumpFull

_log = logging.getLogger(__name__)

MAX_UNDER_WAY = 2048
"""Requests that one listener works on at a time; more are refused as overloaded."""

Answerer = Callable[[Request, str], Awaitable[Reply | Failure]]
"""Answers a request of the peer with that public key; never raises SsiError."""


@dataclass(eq=False, kw_only=True)
class PortTaken(SsiError):
    """An agent cannot listen where it is to."""

    word = "port-taken"
    exit_code = 11
    address: str
    port: int
    reason: str

    def what(self) -> str:
        return f"cannot listen on {self.address}:{self.port}: {self.reason}"

    def advice(self) -> str:
        return "another program has the port; remove the kept port file and run `ssi up` again"


class Listener:
    """Binds and answers. A peer is whoever the gate's User-Id says, never what it calls itself.

    Args:
        context: Whose gate is up already.
        key: Of this agent.
        answer: Called for each request, in a task of its own.
        tasks: The agent's group, in which those tasks live and with which they end.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        key: KeyPair,
        answer: Answerer,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.port = 0
        self._answer = answer
        self._tasks = tasks
        self._under_way = 0
        socket = context.socket(zmq.ROUTER)
        socket.linger = 0
        # What bounds a peer's replies is that each answers a request of its own; a ROUTER at its
        # high-water mark would drop them silently (measured).
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.IPV6, 1)
        socket.setsockopt(zmq.HEARTBEAT_IVL, 2000)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 4000)
        socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_CONTROL_FRAME_BYTES)
        socket.curve_server = True
        socket.curve_secretkey = key.secret.encode()
        socket.zap_domain = DOMAIN.encode()
        self._socket = socket
        self._pump: Pump | None = None

    def bind(self, address: str, port: int) -> int:
        """Listens; the port, a free one for 0, which :attr:`port` tells from now on.

        Raises:
            PortTaken: Somebody else listens there.
        """
        host = f"[{address}]" if ":" in address else address
        try:
            self._socket.bind(f"tcp://{host}:{port or '*'}")
        except zmq.ZMQError as exc:
            raise PortTaken(address=address, port=port, reason=exc.strerror or str(exc)) from exc
        endpoint = self._socket.getsockopt(zmq.LAST_ENDPOINT)
        assert isinstance(endpoint, bytes)
        self.port = int(endpoint.rstrip(b"\0").rsplit(b":", 1)[1])
        self._pump = Pump(self._socket, self._on_message)
        return self.port

    def close(self) -> None:
        """Stops listening; replies that are not ready by now are not sent."""
        if self._pump is not None:
            self._pump.close()
        else:
            self._socket.close(linger=0)

    def _on_message(self, frames: list[zmq.Frame]) -> None:
        routing_id, peer_key = frames[0].bytes, str(frames[-1].get("User-Id"))
        try:
            envelope = decode_envelope(frames[-1].buffer)
            if not isinstance(envelope, Request):
                raise BadMessage(reason="a reply where a request belongs")
        except VersionMismatch as exc:
            # The asker cannot read our envelopes; ours of any version begin with the magic and
            # the version, which is all that it needs to say what is wrong.
            _log.warning("event=version-mismatch peer=%s theirs=%d", peer_key[:8], exc.theirs)
            self._send(routing_id, make_failure(b"", exc))
            return
        except BadMessage as exc:
            _log.warning("event=bad-request peer=%s reason=%s", peer_key[:8], exc.reason)
            return
        if self._under_way >= MAX_UNDER_WAY:
            full = Overloaded(node="the node", queue="list of requests under way")
            self._send(routing_id, make_failure(envelope.id, full))
            return
        self._under_way += 1
        self._tasks.create_task(self._work(routing_id, envelope, peer_key))

    async def _work(self, routing_id: bytes, request: Request, peer_key: str) -> None:
        try:
            self._send(routing_id, await self._answer(request, peer_key))
        finally:
            self._under_way -= 1

    def _send(self, routing_id: bytes, envelope: Reply | Failure) -> None:
        assert self._pump is not None
        try:
            self._pump.send([routing_id, encode_envelope(envelope)])
        except PumpFull:
            _log.warning("event=reply-dropped reason=queue-full")
