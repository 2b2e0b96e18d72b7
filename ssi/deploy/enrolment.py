"""Who gets which number: the roster before, the hosts that are ready, the roster after. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import msgspec

from ssi.model.node import Roster, RosterEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A host whose agent is ready, as a roster entry without its number."""

    name: str
    public_key: str
    address: str
    control_port: int
    bulk_port: int
    python: str
    ssh_target: str
    pulse_port: int = 0
    files_port: int = 0
    user: str = "root"
    version: str = ""
    signing_key: bytes = b""


def enrol(roster: Roster, candidates: Iterable[Candidate], profile: str | None = None) -> Roster:
    """The roster with the candidates in it, one version higher; the same one if nothing changes.

    A name that is known keeps its number, whatever else is new about it. New names get numbers in
    the order of the candidates, each above every number that was ever given.

    Args:
        roster: As it is.
        candidates: Hosts that are ready.
        profile: Of the system from now on; None leaves it as it is.
    """
    entries = {entry.name: entry for entry in roster.nodes}
    next_number = roster.next_number
    for candidate in candidates:
        known = entries.get(candidate.name)
        number = known.number if known is not None else next_number
        entries[candidate.name] = RosterEntry(
            number=number,
            name=candidate.name,
            public_key=candidate.public_key,
            address=candidate.address,
            control_port=candidate.control_port,
            bulk_port=candidate.bulk_port,
            pulse_port=candidate.pulse_port,
            files_port=candidate.files_port,
            python=candidate.python,
            ssh_target=candidate.ssh_target,
            user=candidate.user,
            version=candidate.version,
            signing_key=candidate.signing_key,
        )
        next_number = max(next_number, number + 1)
    return _changed(roster, entries.values(), next_number, profile or roster.profile)


def dismiss(roster: Roster, names: Collection[str]) -> Roster:
    """The roster without those nodes; their numbers are not used again."""
    left = [entry for entry in roster.nodes if entry.name not in names]
    return _changed(roster, left, roster.next_number, roster.profile)


def newest(own: Roster | None, others: Iterable[Roster]) -> Roster | None:
    """The roster to go on from: of our system the highest version; without one, the first other's.

    Another machine may have deployed to this system since, and its nodes know better than we do.
    Of one version the one that has revoked more holds: an older ssi keeps nothing of that.
    """
    for other in others:
        if own is None or (other.system == own.system and _rank(other) > _rank(own)):
            own = other
    return own


def _rank(roster: Roster) -> tuple[int, int]:
    return roster.version, len(roster.revoked)


def _changed(
    roster: Roster, entries: Iterable[RosterEntry], next_number: int, profile: str
) -> Roster:
    nodes = tuple(sorted(entries, key=lambda entry: entry.number))
    if nodes == roster.nodes and profile == roster.profile:
        return roster
    return msgspec.structs.replace(
        roster,
        nodes=nodes,
        next_number=next_number,
        profile=profile,
        version=roster.version + 1,
    )
