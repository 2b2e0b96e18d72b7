"""Two ends on the loopback, with real sockets and keys: what the tests of the wire start from."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from ssi.protocol.codec import encode_reply_body, encode_request_body
from ssi.protocol.envelope import Failure, Reply, Request
from ssi.protocol.message import Done, RequestMessage
from ssi.protocol.system import ListNodes
from ssi.transport.gate import Gate
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint, Link
from ssi.transport.listener import Listener

Answer = Callable[[Request, str], Coroutine[Any, Any, Reply | Failure]]

LIMIT_S = 100.0
"""No test of the wire takes longer, whatever goes wrong."""

PATIENCE_S = 60
"""What is waited for that must come; a busy machine takes many times as long as an idle one."""

SOON_S = 20.0
"""What is known at once is told long before an asker's deadline, also on a busy machine."""


def run(test: Coroutine[Any, Any, None]) -> None:
    """Runs a test on a loop of its own; what the loop complains of fails the test."""

    async def bounded() -> None:
        complaints: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: complaints.append(str(context))
        )
        async with asyncio.timeout(LIMIT_S):
            await test
        assert complaints == [], complaints

    asyncio.run(bounded())


def make_key() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public=public.decode(), secret=secret.decode())


def make_request(
    body: RequestMessage | None = None,
    *,
    target: str = "",
    caller: str = "",
    deadline_ms: int = 5000,
    request_id: bytes = b"",
) -> Request:
    identity = request_id or secrets.token_bytes(16)
    return Request(identity, target, caller, deadline_ms, encode_request_body(body or ListNodes()))


def done(request: Request) -> Reply:
    return Reply(request.id, encode_reply_body(Done()))


@dataclass
class Peer:
    """An agent's listening side, and whom it lets in."""

    context: zmq.Context[zmq.Socket[bytes]]
    key: KeyPair
    tasks: asyncio.TaskGroup
    allowed: set[str] = field(default_factory=set)
    requests: list[tuple[Request, str]] = field(default_factory=list)
    handler: Answer | None = None
    listener: Listener | None = None

    async def answer(self, request: Request, peer_key: str) -> Reply | Failure:
        self.requests.append((request, peer_key))
        return await self.handler(request, peer_key) if self.handler else done(request)

    def listen(self, port: int = 0) -> int:
        self.listener = Listener(self.context, self.key, self.answer, self.tasks)
        self.listener.bind("127.0.0.1", port)
        return self.listener.port

    def die(self) -> None:
        assert self.listener is not None
        self.listener.close()
        self.listener = None

    def endpoint(self, *, key: str = "") -> Endpoint:
        assert self.listener is not None
        return Endpoint(
            node="n2",
            address="127.0.0.1",
            port=self.listener.port,
            public_key=key or self.key.public,
        )

    def link(self, client: KeyPair, *, server_key: str = "") -> Link:
        return Link(self.context, self.endpoint(key=server_key), client)


class _Over(Exception):
    """The test is done: ends the group of tasks."""


@asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    """A listening peer with its gate up; everything is closed afterwards."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    allowed: set[str] = set()
    gate = Gate(context, allowed.__contains__)
    try:
        async with asyncio.TaskGroup() as tasks:
            made = Peer(context, make_key(), tasks, allowed)
            made.listen()
            try:
                yield made
            finally:
                if made.listener is not None:
                    made.die()
            raise _Over
    except* _Over:
        pass
    finally:
        gate.close()
        context.destroy(linger=0)


async def connect_until_event(socket: zmq.Socket[bytes], url: str, wanted: int) -> int:
    """Connects; the first event of the socket that is among those wanted."""
    monitor = socket.get_monitor_socket(wanted)
    socket.connect(url)
    try:
        assert await asyncio.to_thread(monitor.poll, PATIENCE_S * 1000), "no event of the handshake"
        return int(parse_monitor_message(monitor.recv_multipart())["event"])
    finally:
        socket.disable_monitor()
        monitor.close(linger=0)
