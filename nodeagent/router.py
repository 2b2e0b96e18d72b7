"""Whose request it is, and whether this agent answers it or passes it on."""

from __future__ import annotations

import time
from collections.abc import Callable

from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.peers import Peers
from nodeagent.register import Register
from ssi.model.errors import SsiError
from ssi.protocol.codec import BadMessage, is_bulk, make_failure
from ssi.protocol.envelope import Failure, Reply, Request
from ssi.protocol.refusals import ClientRefused, NodeDown, NotPermitted
from ssi.transport.door import DoorUser

MAX_DEADLINE_S = 3600.0
"""The longest that an answer is waited for, whatever the asker says."""

HEARD_LATELY_S = 2.0
"""Longer than the time between two probes of a node: one that was heard so lately is not dead."""


class Router:
    """Between the sockets and the dispatcher.

    Args:
        node: Name of this node; empty in client mode, where everything is passed on.
        dispatcher: Answers what is for this agent.
        register: Tells nodes and clients by their keys.
        peers: Links to pass requests on.
        silent_s: For how long a node believed dead has been silent, else None.
    """

    def __init__(
        self,
        node: str,
        dispatcher: Dispatcher,
        register: Register,
        peers: Peers,
        silent_s: Callable[[str], float | None],
    ) -> None:
        self._node = node
        self._dispatcher = dispatcher
        self._register = register
        self._peers = peers
        self._silent_s = silent_s
        self.asked_at_s = time.monotonic()
        """When somebody last asked at the door."""

    async def from_door(self, request: Request, user: DoorUser) -> Reply | Failure:
        """Answers or passes on a request of a person on this machine."""
        self.asked_at_s = time.monotonic()
        if not request.target or request.target == self._node:
            return await self._dispatcher.answer(request, Caller(user=user.name))
        try:
            return await self._pass_on(request, user.name)
        except SsiError as exc:
            return make_failure(request.id, exc)

    async def from_mesh(self, request: Request, peer_key: str) -> Reply | Failure:
        """Answers a request of a node or a client; what is for others is not passed on."""
        try:
            caller = self._caller_of(request, peer_key)
            if request.target and request.target != self._node:
                raise BadMessage(reason=f"it is for {request.target}, this is {self._node}")
        except SsiError as exc:
            return make_failure(request.id, exc)
        answer = await self._dispatcher.answer(request, caller)
        if self._register.knows(peer_key):
            return answer
        # It was revoked meanwhile: what it waited for, such as output of a job, is not for it now.
        return make_failure(request.id, self._stranger(request, peer_key))

    async def _pass_on(self, request: Request, user: str) -> Reply:
        silent_s = self._silent_s(request.target)
        # One that spoke a moment ago is back, though not everybody has heard it refute its death;
        # one whose keys do not fit is silent too, and its link says so at once.
        refuses = self._peers.is_refused(request.target)
        if silent_s is not None and silent_s >= HEARD_LATELY_S and not refuses:
            raise NodeDown(node=request.target, silent_s=silent_s)
        forwarded = Request(
            request.id,
            request.target,
            # In client mode the peer knows the user by this machine's key.
            user if self._node else "",
            request.deadline_ms,
            request.body,
        )
        timeout_s = min(max(request.deadline_ms / 1000, 0.001), MAX_DEADLINE_S)
        return await self._peers.forward(forwarded, bulk=is_bulk(request.body), timeout_s=timeout_s)

    def _caller_of(self, request: Request, peer_key: str) -> Caller:
        """Who asks, checked with every message, so that a revoked key has no more say at once.

        A node of the roster is believed when it names a user, and then has no more say than that
        user: whatever a person typed at its door must not count as the word of the node itself.
        It speaks for itself where it names nobody. An agent that does not run as root has its own
        user's word and no other's. A client is its own user alone.

        Raises:
            NotPermitted: The key has no word here, or not that user's.
            ClientRefused: It was revoked.
        """
        roster = self._register.roster
        entry = roster.node_by_key(peer_key) if roster is not None else None
        if entry is not None:
            if entry.user != "root" and request.caller not in {"", entry.user}:
                deed = f"be named by {entry.name}, whose agent is {entry.user}'s"
                raise NotPermitted(node=self._node, user=request.caller, deed=deed)
            if request.caller:
                return Caller(user=request.caller)
            return Caller(user=entry.user, node=entry.name)
        user = self._register.clients.get(peer_key)
        if user is None or request.caller not in {"", user}:
            raise self._stranger(request, peer_key)
        return Caller(user=user)

    def _stranger(self, request: Request, peer_key: str) -> SsiError:
        roster = self._register.roster
        for revoked in roster.revoked if roster is not None else ():
            if revoked.public_key == peer_key:
                user = request.caller or revoked.user or "anybody"
                return ClientRefused(node=self._node, user=user, reason="it was revoked")
        claimed = request.caller or "unknown"
        return NotPermitted(node=self._node, user=claimed, deed="ask with this key")
