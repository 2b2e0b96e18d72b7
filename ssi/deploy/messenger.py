"""Tells nodes that were not named of a new roster: one is enough, it spreads it in the mesh.

Without it they would never know: a node lets nobody in whose key is not in its own roster, so a
new node, whose roster is the newer one, cannot even tell them that it is there.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Collection

from ssi.deploy import door
from ssi.deploy.connection import connect
from ssi.deploy.hostkey import Trust
from ssi.deploy.limit import Limit
from ssi.deploy.remote import Remote
from ssi.deploy.target import Resolver
from ssi.model.errors import SsiError
from ssi.model.node import Roster, RosterEntry
from ssi.protocol.message import Done
from ssi.protocol.system import InstallRoster

TRIED = 4
"""Nodes that are tried at once; the first that took it is enough."""

LIMIT_S = 15.0


def tell_others(
    roster: Roster, named: Collection[str], resolver: Resolver, trust: Trust, limit: Limit
) -> list[str]:
    """One node of the roster that was not named has it now; else the names that were not told."""
    others = [entry for entry in roster.nodes if entry.name not in named]
    results: queue.Queue[bool] = queue.Queue()

    def tell(entry: RosterEntry) -> None:
        told = False
        try:
            told = _tell(entry, roster, resolver, trust)
        finally:
            results.put(told)

    tried = others[:TRIED]
    for entry in tried:
        # A daemon, so that one that hangs does not hold up the end of the command.
        threading.Thread(target=tell, args=(entry,), daemon=True).start()
    try:
        if not tried or any(results.get(timeout=limit.at_most_s(LIMIT_S)) for _ in tried):
            return []
    except queue.Empty:
        pass
    return [entry.name for entry in others]


def _tell(entry: RosterEntry, roster: Roster, resolver: Resolver, trust: Trust) -> bool:
    try:
        target = resolver.resolve(entry.ssh_target or entry.name)
        with connect(target, trust) as connection:
            (frame,) = Remote(connection).ask([door.question(InstallRoster(roster=roster))])
            door.answer(frame, Done)
    except SsiError:
        return False
    return True
