"""Requests between the agents of a simulation, over a network that fails."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from random import Random

from nodeagent.dispatch import Caller
from nodeagent.peers import Peers
from ssi.model.errors import SsiError
from ssi.protocol.codec import decode_reply_body, encode_request_body, error_of
from ssi.protocol.envelope import Failure, Reply, Request
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.refusals import LinkDown, TimedOut
from tests.simulation.network import Network
from tests.simulation.standins import Life, Node
from tests.simulation.world import Broken


class Wire:
    """Connections as TCP has them: what is cut off comes late, or the connection breaks."""

    def __init__(self, network: Network, random: Random, nodes: dict[str, Node]) -> None:
        self.loop = asyncio.get_running_loop()
        self.network = network
        self.random = random
        self.nodes = nodes
        self.dismissed: set[str] = set()
        """Nodes that a user took out of the system."""
        self._pending: list[tuple[str, str, asyncio.Future[ReplyBody]]] = []

    def break_links_of(self, name: str) -> None:
        """An agent died; whoever waits for it is told by its kernel, or else by a heartbeat."""
        for source, target, answer in self._pending:
            if target == name:
                told = self.network.passes(target, source)
                broken = LinkDown(node=name, reason="its agent died")
                self.loop.call_later(0.0 if told else 8.0, _fail, answer, broken)

    async def ask(
        self, life: Life, target: str, body: RequestMessage, timeout_s: float
    ) -> ReplyBody:
        """One node asks another; what it sends may come late, twice or never.

        Raises:
            SsiError: No answer, or that of the other side.
        """
        if life.dead:
            await asyncio.Event().wait()
        request = Request(
            secrets.token_bytes(16), target, "", int(timeout_s * 1000), encode_request_body(body)
        )
        answer: asyncio.Future[ReplyBody] = self.loop.create_future()
        entry = (life.node, target, answer)
        self._pending.append(entry)
        self._send((life.node, target), answer, lambda: self._arrive(life.node, request, answer))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as exc:
            name = type(body).__name__
            raise TimedOut(node=target, request=name, after_s=timeout_s) from exc
        finally:
            self._pending.remove(entry)

    def _send(
        self, way: tuple[str, str], answer: asyncio.Future[ReplyBody], arrive: Callable[[], None]
    ) -> None:
        sender, receiver = way
        delays_s = self.network.delays_s(sender, receiver)
        for delay_s in delays_s:
            self.loop.call_later(delay_s, arrive)
        if delays_s:
            return
        # The kernel sends it again, until the link is mended or the connection is given up.
        if not self.network.passes(sender, receiver) and self.random.random() < 0.9:
            self.loop.call_later(0.5, self._send, way, answer, arrive)
        else:
            broken = LinkDown(node=receiver, reason="the connection broke")
            self.loop.call_later(self.random.uniform(0.0, 5.0), _fail, answer, broken)

    def _arrive(self, sender: str, request: Request, answer: asyncio.Future[ReplyBody]) -> None:
        life = self.nodes[request.target].serving
        if life is None:
            if not answer.done():
                answer.set_exception(LinkDown(node=request.target, reason="nobody listens"))
            return
        work = self._serve(life, sender, request, answer)
        life.tasks.create_task(work, context=life.context.copy())

    async def _serve(
        self, life: Life, sender: str, request: Request, answer: asyncio.Future[ReplyBody]
    ) -> None:
        assert life.dispatcher is not None
        reply = await life.dispatcher.answer(request, Caller(user="root", node=sender))
        if not life.dead:
            self._send((life.node, sender), answer, lambda: _settle(answer, reply))


class SimPeers(Peers):
    def __init__(self, wire: Wire, life: Life) -> None:
        self._wire = wire
        self._life = life

    def read_bulk_link(self, node: str) -> None:
        return None

    def names(self) -> list[str]:
        return [name for name in self._wire.nodes if name != self._life.node]

    def is_dismissed(self, node: str) -> bool:
        return node in self._wire.dismissed

    async def ask(
        self, node: str, body: RequestMessage, *, timeout_s: float, request_id: bytes | None = None
    ) -> ReplyBody:
        return await self._wire.ask(self._life, node, body, timeout_s)


def _fail(answer: asyncio.Future[ReplyBody], error: SsiError) -> None:
    if not answer.done():
        answer.set_exception(error)


def _settle(answer: asyncio.Future[ReplyBody], reply: Reply | Failure) -> None:
    if isinstance(reply, Failure) and reply.word == "agent-failed":
        raise Broken(f"an agent failed: {reply.fields}")
    if answer.done():
        return
    if isinstance(reply, Failure):
        answer.set_exception(error_of(reply))
    else:
        answer.set_result(decode_reply_body(reply.body))
