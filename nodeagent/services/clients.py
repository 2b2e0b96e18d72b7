"""Whose keys this node lets in, and the end of one."""

from __future__ import annotations

import logging
import time

from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.register import Register
from ssi.model.node import RevokedKey, is_public_key
from ssi.protocol.message import Done
from ssi.protocol.refusals import ClientRefused, NotPermitted
from ssi.protocol.system import AllowClient, ClientList, ClientRow, ListClients, RevokeClient

_log = logging.getLogger(__name__)


class ClientKeys:
    """The handlers for keys of clients.

    Args:
        node: Name of this node.
        register: Keeps them.
    """

    def __init__(self, node: str, register: Register) -> None:
        self._node = node
        self._register = register

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to keys."""
        dispatcher.serve(AllowClient, self._allow)
        dispatcher.serve(ListClients, self._list)
        dispatcher.serve(RevokeClient, self._revoke)

    async def _allow(self, caller: Caller, body: AllowClient) -> Done:
        self._register.allow_client(body.public_key, caller.user, body.name)
        return Done()

    async def _list(self, caller: Caller, _body: ListClients) -> ClientList:
        names = self._register.client_names
        rows = tuple(
            ClientRow(public_key=key, user=user, name=names.get(key, ""))
            for key, user in self._register.clients.items()
            if caller.is_root or user == caller.user
        )
        return ClientList(rows=rows)

    async def _revoke(self, caller: Caller, body: RevokeClient) -> Done:
        key = body.public_key
        roster = self._register.roster
        if not is_public_key(key) or (roster is not None and roster.node_by_key(key) is not None):
            reason = "it is no client's key; `ssi down` takes out a node"
            raise ClientRefused(node=self._node, user=caller.user, reason=reason)
        if roster is not None and roster.has_revoked(key, caller.user):
            return Done()
        if not caller.is_root and self._register.owner_of(key) != caller.user:
            raise NotPermitted(node=self._node, user=caller.user, deed="revoke this key")
        revoked = RevokedKey(
            public_key=key,
            user="" if caller.is_root else caller.user,
            name=self._register.client_names.get(key, body.name),
            by=f"{caller.user}@{caller.node or self._node}",
            at_ms=int(time.time() * 1000),
        )
        self._register.revoke(revoked)
        _log.warning("event=key-revoked key=%s by=%s", key[:8], revoked.by)
        return Done()
