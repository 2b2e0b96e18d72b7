"""The other nodes: a control link and, on demand, a bulk link to each."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import zmq

from ssi.model.node import Roster, RosterEntry
from ssi.protocol.codec import decode_reply_body, encode_request_body, error_of
from ssi.protocol.envelope import Failure, Reply, Request
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.refusals import NodeUnknown
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint, Link
from ssi.transport.linkrate import LinkReading


@dataclass(slots=True)
class _Links:
    entry: RosterEntry
    control: Link
    bulk: Link | None = None


class Peers:
    """Links to every node of the roster but this one."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], node: str, key: KeyPair) -> None:
        self._context = context
        self._node = node
        self._key = key
        self._links: dict[str, _Links] = {}
        self._own: Callable[[Request], Awaitable[Reply | Failure]] | None = None

    def answer_own(self, answer: Callable[[Request], Awaitable[Reply | Failure]]) -> None:
        """What this node asks itself is answered by ``answer``, as any other node would."""
        self._own = answer

    def follow(self, roster: Roster) -> None:
        """Opens links to new nodes, and again to those that moved; closes the others'."""
        self._follows = True
        wanted = {entry.name: entry for entry in roster.nodes if entry.name != self._node}
        for name in list(self._links):
            if wanted.get(name) != self._links[name].entry:
                self._close(self._links.pop(name))
        for name, entry in wanted.items():
            if name not in self._links:
                control = self._open(entry, entry.control_port)
                self._links[name] = _Links(entry=entry, control=control)

    def names(self) -> list[str]:
        """The nodes that there are links to."""
        return list(self._links)

    def is_dismissed(self, node: str) -> bool:
        """Whether a user took that node out of the system: it is in no roster any more."""
        return self._follows and node != self._node and node not in self._links

    def problem(self, node: str) -> str:
        """Why the link to a node does not serve, where more is known than silence."""
        links = self._links.get(node)
        return links.control.problem if links is not None else ""

    def read_bulk_link(self, node: str) -> LinkReading | None:
        """How fast the bulk link to a node is; None where there is none."""
        links = self._links.get(node)
        return links.bulk.reading() if links is not None and links.bulk is not None else None

    async def forward(self, request: Request, *, bulk: bool, timeout_s: float) -> Reply:
        """The answer of ``request.target``.

        Raises:
            NodeUnknown: There is no such node.
            SsiError: As :meth:`ssi.transport.link.Link.ask`.
        """
        links = self._links.get(request.target)
        if links is None:
            known = ", ".join(sorted([*self._links, *([self._node] if self._node else [])]))
            raise NodeUnknown(node=request.target, known=known)
        if not bulk:
            return await links.control.ask(request, timeout_s)
        if links.bulk is None:
            links.bulk = self._open(links.entry, links.entry.bulk_port)
        return await links.bulk.ask(request, timeout_s)

    async def ask(
        self, node: str, body: RequestMessage, *, timeout_s: float, request_id: bytes | None = None
    ) -> ReplyBody:
        """Asks as this node itself.

        Raises:
            SsiError: As :meth:`forward`, and whatever the peer failed with.
        """
        request = Request(
            request_id or os.urandom(16),
            node,
            "",
            int(timeout_s * 1000),
            encode_request_body(body),
        )
        if node == self._node and self._own is not None:
            own = await self._own(request)
            if isinstance(own, Failure):
                raise error_of(own)
            return decode_reply_body(own.body)
        reply = await self.forward(request, bulk=type(body).bulk, timeout_s=timeout_s)
        assert not isinstance(reply, Failure)
        return decode_reply_body(reply.body)

    def close(self) -> None:
        """Closes every link."""
        for links in self._links.values():
            self._close(links)
        self._links.clear()

    def _open(self, entry: RosterEntry, port: int) -> Link:
        endpoint = Endpoint(
            node=entry.name, address=entry.address, port=port, public_key=entry.public_key
        )
        return Link(self._context, endpoint, self._key)

    @staticmethod
    def _close(links: _Links) -> None:
        links.control.close()
        if links.bulk is not None:
            links.bulk.close()
