"""Whom an agent knows: the roster of nodes, and the clients that may connect."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from nodeagent.files import replace_file
from nodeagent.vouchers import MAX_TOLD, Vouchers
from ssi.mesh.vouching import changes, follow, may_change
from ssi.model.node import MAX_REVOKED, RevokedKey, Roster, is_public_key
from ssi.model.unreadable import UNREADABLE
from ssi.protocol.codec import BadMessage, decode_entry
from ssi.protocol.refusals import ClientRefused, RosterConflict

_log = logging.getLogger(__name__)

MAX_CLIENTS_PER_USER = 100
"""Keys of client-mode agents that may act as one user; as many of theirs can be revoked."""

MAX_NAME = 100
"""Characters of what a client is called."""


class Register:
    """The roster and the clients, kept in files.

    Args:
        node: Name of this node; empty for a client-mode agent.
        roster_path: Where the roster is kept.
        clients_path: Where the clients are kept; None for a client-mode agent, which has none.
        vouchers: What nodes vouch for; None where nobody is told of rosters.

    A file that is not there is an empty register. One that cannot be read is put aside and told of
    in the log: the next ``ssi up`` writes it again, and until then nobody is let in.
    """

    def __init__(
        self,
        node: str,
        roster_path: Path,
        clients_path: Path | None,
        vouchers: Vouchers | None = None,
    ) -> None:
        self._node = node
        self._roster_path = roster_path
        self._clients_path = clients_path
        self._vouchers = vouchers
        self.roster: Roster | None = _load(roster_path, Roster)
        clients = _load(clients_path, dict[str, str]) if clients_path is not None else None
        self.clients: dict[str, str] = clients or {}
        names = _load(_names_path(clients_path), dict[str, str]) if clients_path else None
        self.client_names: dict[str, str] = names or {}
        # The agent may have ended between writing the two. Who only reads them writes nothing.
        self.clients = self._not_revoked()
        self._listeners: list[Callable[[Roster], None]] = []

    def on_change(self, listener: Callable[[Roster], None]) -> None:
        """Calls ``listener`` with every roster that is installed from now on."""
        self._listeners.append(listener)

    def install(self, roster: Roster) -> bool:
        """Takes a roster if it is newer, and vouches for what it changes; tells whether it did.

        Raises:
            RosterConflict: It is of another system, differs at an equal version, or is faulty.
        """
        before = self.roster
        if not self._take(roster):
            return False
        # Whoever has none is given the first one through its own door, and needs no word of ours.
        if self._vouchers is not None and before is not None:
            self._vouchers.vouch(changes(before, roster))
        self._tell(roster)
        return True

    def install_of(self, sayer: str, roster: Roster) -> bool:
        """Takes a whole roster from another node, as :meth:`install` does.

        Raises:
            RosterConflict: Also where that node has no say in what the roster changes.
        """
        known = self.roster
        if known is not None and roster.version > known.version:
            entry = known.node(sayer)
            if entry is None or not may_change(entry, known, roster):
                reason = f"{sayer} has no say in what it changes"
                raise RosterConflict(node=self._node, reason=reason)
        return self.install(roster)

    def install_signed(self, told: Sequence[bytes]) -> bool:
        """Takes entries that other nodes have signed, if they lead to a newer roster.

        Verifying takes 0.03 ms for each entry.

        Raises:
            RosterConflict: As :meth:`install`.
        """
        if self.roster is None or self._vouchers is None or len(told) > MAX_TOLD:
            return False
        try:
            entries = [decode_entry(each) for each in told]
            roster = follow(self.roster, entries)
        except BadMessage as exc:
            _log.warning("event=entries-unreadable reason=%s", exc.reason)
            return False
        if roster is None or not self._take(roster):
            return False
        self._vouchers.keep(entries)
        self._tell(roster)
        return True

    def signed_since(self, version: int) -> tuple[bytes, ...]:
        """What changed since a version of the roster, each entry signed; any thread."""
        return self._vouchers.since(version) if self._vouchers is not None else ()

    def revoke(self, key: RevokedKey) -> None:
        """A key lets nobody in any more, here from now on and soon on all nodes.

        It makes a new version of the roster, which spreads as any other does.

        Raises:
            ClientRefused: There are so many already that the roster takes no more.
        """
        roster = self.roster
        if roster is None:
            return
        full = len(roster.revoked) >= MAX_REVOKED
        own = sum(each.user == key.user for each in roster.revoked)
        if full or (key.user and own >= MAX_CLIENTS_PER_USER):
            reason = f"{len(roster.revoked)} keys are revoked already"
            raise ClientRefused(node=self._node, user=key.user or "root", reason=reason)
        revoked = tuple(sorted((*roster.revoked, key), key=lambda each: each.order))
        self.install(msgspec.structs.replace(roster, version=roster.version + 1, revoked=revoked))

    def allow_client(self, public_key: str, user: str, name: str = "") -> None:
        """Lets whoever has that key act as ``user`` here.

        Args:
            public_key: The key.
            user: Whose word it has.
            name: Of the machine that brought it; only shown.

        Raises:
            ClientRefused: It is no key, is somebody else's already (whoever could take it over
                would have that other's requests carried out as his own), was revoked, or is one
                too many.
        """
        owner = self.clients.get(public_key)
        if self._clients_path is None:
            return
        if owner == user:
            self._call_client(public_key, name)
            return
        if not is_public_key(public_key):
            raise ClientRefused(node=self._node, user=user, reason="this is no public key")
        if owner is not None or self.knows(public_key):
            raise ClientRefused(node=self._node, user=user, reason="somebody else has this key")
        if self.roster is not None and self.roster.has_revoked(public_key, user):
            raise ClientRefused(node=self._node, user=user, reason="it was revoked")
        if list(self.clients.values()).count(user) >= MAX_CLIENTS_PER_USER:
            reason = f"there are {MAX_CLIENTS_PER_USER} already"
            raise ClientRefused(node=self._node, user=user, reason=reason)
        self._keep_clients({**self.clients, public_key: user})
        self._call_client(public_key, name)

    def owner_of(self, public_key: str) -> str | None:
        """The user who brought that key; None where nobody did."""
        return self.clients.get(public_key)

    def knows(self, public_key: str) -> bool:
        """Whether a node or a client has that key."""
        if public_key in self.clients:
            return True
        return self.roster is not None and self.roster.node_by_key(public_key) is not None

    def _call_client(self, public_key: str, name: str) -> None:
        if self._clients_path is None or not name or self.client_names.get(public_key) == name:
            return
        called = {key: kept for key, kept in self.client_names.items() if key in self.clients}
        called[public_key] = name[:MAX_NAME]
        replace_file(_names_path(self._clients_path), msgspec.json.encode(called))
        self.client_names = called

    def _keep_clients(self, clients: dict[str, str]) -> None:
        assert self._clients_path is not None
        replace_file(self._clients_path, msgspec.json.encode(clients))
        self.clients = clients

    def _not_revoked(self) -> dict[str, str]:
        """The clients whose keys the roster does not call revoked."""
        roster = self.roster
        if roster is None or not roster.revoked:
            return self.clients
        return {
            key: user for key, user in self.clients.items() if not roster.has_revoked(key, user)
        }

    def _tell(self, roster: Roster) -> None:
        for listener in self._listeners:
            listener(roster)

    def _take(self, roster: Roster) -> bool:
        if fault := roster.fault():
            raise RosterConflict(node=self._node, reason=fault)
        known = self.roster
        if known is not None:
            if known.system != roster.system:
                raise RosterConflict(node=self._node, reason="it belongs to another system")
            if roster.version == known.version and roster != known:
                reason = f"two rosters of version {known.version} differ: two `ssi up` at once"
                raise RosterConflict(node=self._node, reason=reason)
            if roster.version <= known.version:
                return False
        replace_file(self._roster_path, msgspec.json.encode(roster))
        self.roster = roster
        left = self._not_revoked()
        if left != self.clients and self._clients_path is not None:
            self._keep_clients(left)
        _log.info("event=roster version=%d nodes=%d", roster.version, len(roster.nodes))
        return True


def _names_path(clients_path: Path) -> Path:
    """Apart from the clients, which older versions read as well."""
    return clients_path.with_name(f"{clients_path.name}.names")


_KindT = TypeVar("_KindT")


def _load(path: Path, kind: type[_KindT]) -> _KindT | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=kind)
    except UNREADABLE as exc:
        aside = path.with_name(f"{path.name}.unreadable")
        path.replace(aside)
        _log.error("event=register-unreadable file=%s aside=%s reason=%s", path, aside, exc)
        return None
