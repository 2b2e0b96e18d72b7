"""The other nodes: a control link to each, and a bulk link where one is needed.

In a small mesh control links stand from the start, so that the first request finds one. Beyond that
range they are made when first used, which costs 1 ms, and closed when nobody has used them for a
while: a thousand standing links would be 40 MB and a heartbeat each every two seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import zmq

from ssi.mesh.settings import LAN
from ssi.model.node import Roster, RosterEntry
from ssi.protocol.codec import decode_reply_body, encode_request_body, error_of
from ssi.protocol.envelope import Failure, Reply, Request
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.refusals import NodeUnknown
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint, Link
from ssi.transport.linkrate import LinkReading

STANDING_UP_TO: Final = LAN.full_probing_up_to
"""Nodes, this one included, up to which control links stand whether used or not."""

IDLE_S: Final = 60.0
"""Beyond, a link that was not used for so long is closed."""


@dataclass(slots=True)
class _Links:
    entry: RosterEntry
    control: Link | None = None
    bulk: Link | None = None
    used_at_s: float = 0.0

    @property
    def is_busy(self) -> bool:
        return any(link is not None and link.is_busy for link in (self.control, self.bulk))


class Peers:
    """Links to every node of the roster but this one."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], node: str, key: KeyPair) -> None:
        self._context = context
        self._node = node
        self._key = key
        self._links: dict[str, _Links] = {}
        self._stands = True
        self._own: Callable[[Request], Awaitable[Reply | Failure]] | None = None

    def answer_own(self, answer: Callable[[Request], Awaitable[Reply | Failure]]) -> None:
        """What this node asks itself is answered by ``answer``, as any other node would."""
        self._own = answer

    def follow(self, roster: Roster) -> None:
        """Has links to these nodes, anew to those that moved; closes the others'."""
        self._follows = True
        self._stands = len(roster.nodes) <= STANDING_UP_TO
        wanted = {entry.name: entry for entry in roster.nodes if entry.name != self._node}
        for name in list(self._links):
            if wanted.get(name) != self._links[name].entry:
                self._close(self._links.pop(name))
        for name, entry in wanted.items():
            links = self._links.setdefault(name, _Links(entry))
            if self._stands and links.control is None:
                links.control = self._open(entry, entry.control_port)

    def sweep(self, now_s: float) -> None:
        """Closes what nobody has used for long, where links do not stand."""
        if self._stands:
            return
        for links in self._links.values():
            if links.is_busy:
                links.used_at_s = now_s
            elif now_s - links.used_at_s > IDLE_S:
                self._close(links)

    def names(self) -> list[str]:
        """The other nodes."""
        return list(self._links)

    @property
    def stands(self) -> bool:
        """Whether there are links to all of them anyway."""
        return self._stands

    def address(self, node: str) -> str:
        """Where a node is reached, also one that has moved; empty for one that there is not."""
        links = self._links.get(node)
        return links.entry.address if links is not None else ""

    def connected(self) -> list[str]:
        """Those of them that there is a link to at present."""
        return [name for name, links in self._links.items() if links.control is not None]

    def is_dismissed(self, node: str) -> bool:
        """Whether a user took that node out of the system: it is in no roster any more."""
        return self._follows and node != self._node and node not in self._links

    def problem(self, node: str) -> str:
        """Why the link to a node does not serve, where more is known than silence."""
        links = self._links.get(node)
        control = links.control if links is not None else None
        return control.problem if control is not None else ""

    def is_refused(self, node: str) -> bool:
        """Whether a node answers, but the keys do not fit."""
        links = self._links.get(node)
        control = links.control if links is not None else None
        return control is not None and control.state == "refused"

    def speaks(self, node: str) -> int | None:
        """Which version a node answers by, where that is another than ours."""
        links = self._links.get(node)
        control = links.control if links is not None else None
        return control.speaks if control is not None else None

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
        links.used_at_s = time.monotonic()
        if not bulk:
            if links.control is None:
                links.control = self._open(links.entry, links.entry.control_port)
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
        return await self._ask("", node, body, timeout_s, request_id)

    async def ask_for(
        self, user: str, node: str, body: RequestMessage, *, timeout_s: float
    ) -> ReplyBody:
        """Asks for a user of this node, with no more rights than that user has.

        Raises:
            SsiError: As :meth:`ask`.
        """
        return await self._ask(user, node, body, timeout_s, None)

    async def _ask(
        self,
        user: str,
        node: str,
        body: RequestMessage,
        timeout_s: float,
        request_id: bytes | None,
    ) -> ReplyBody:
        request = Request(
            request_id or os.urandom(16),
            node,
            user,
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
        for link in (links.control, links.bulk):
            if link is not None:
                link.close()
        links.control = links.bulk = None
