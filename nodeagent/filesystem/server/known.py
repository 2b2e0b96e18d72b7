"""Whom the file server lets in, and for whom they may speak: nodes, clients and guests."""

from __future__ import annotations

from pathlib import Path

from nodeagent.guests import Guests
from nodeagent.places import Places
from nodeagent.register import Register
from ssi.model.node import Roster, RosterEntry


class Known:
    """Follows the files that the agent keeps.

    Args:
        node: Name of this node.
        places: Where they are.
    """

    def __init__(self, node: str, places: Places) -> None:
        self._node = node
        self._places = places
        self._stamps: tuple[object, ...] = ()
        self._register = Register(node, places.roster, places.clients)
        self._nodes: dict[str, RosterEntry] = {}
        self._guests = Guests(places.guests)
        self.refresh()

    def refresh(self) -> None:
        """Reads again what has changed."""
        stamps = (_stamp(self._places.roster), _stamp(self._places.clients))
        if stamps != self._stamps:
            self._stamps = stamps
            self._register = Register(self._node, self._places.roster, self._places.clients)
            self._nodes = _by_key(self._register.roster)

    def knows(self, public_key: str) -> bool:
        """Whether a node, a client or a guest has that key; any thread."""
        return self._register.knows(public_key) or bool(self._guests.user_of(public_key))

    def whom(self, public_key: str, user: str) -> str | None:
        """Who asks with a key on behalf of a user; None where that key may not speak for them.

        A node whose agent is root's is believed whomever it names, as everywhere in the mesh;
        everybody else speaks for one user only.
        """
        entry = self._nodes.get(public_key)
        if entry is not None:
            return entry.name if entry.user == "root" or user in {"", entry.user} else None
        owner = self._register.clients.get(public_key) or self._guests.user_of(public_key)
        if not owner or user not in {"", owner}:
            return None
        return f"a client of {owner}"


class KnownNodes:
    """Whom the file server of a machine that is no node lets in: nodes whose agents are root's.

    Args:
        roster: Its file.
    """

    def __init__(self, roster: Path) -> None:
        self._roster = roster
        self._stamp: object = None
        self._nodes: dict[str, RosterEntry] = {}
        self.refresh()

    def refresh(self) -> None:
        """Reads again what has changed."""
        stamp = _stamp(self._roster)
        if stamp != self._stamp:
            self._stamp = stamp
            self._nodes = _by_key(Register("", self._roster, None).roster)

    def knows(self, public_key: str) -> bool:
        """Whether such a node has that key; any thread."""
        return self.whom(public_key, "") is not None

    def whom(self, public_key: str, _user: str) -> str | None:
        """The node that asks; for whom it may speak is for the accounts to say."""
        entry = self._nodes.get(public_key)
        return entry.name if entry is not None and entry.user == "root" else None


def _by_key(roster: Roster | None) -> dict[str, RosterEntry]:
    """The nodes of a roster: each request asks for one, and there may be a thousand."""
    return {} if roster is None else {entry.public_key: entry for entry in roster.nodes}


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino
