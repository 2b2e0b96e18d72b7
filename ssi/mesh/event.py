"""What happens to a member, and what it has to do then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ssi.mesh.settings import Settings
from ssi.model.node import NodeState
from ssi.protocol.pulse import AnyDatagram, Gossip


class Now(NamedTuple):
    """The time of an event.

    Attributes:
        elapsed_s: On a clock that only goes forward; all waiting goes by it.
        wall_ms: Wall-clock time, which may jump; only shown, and compared between machines. Read
            after the other, with its fractions: a round trip may be shorter than a millisecond.
    """

    elapsed_s: float
    wall_ms: float


# What happened


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterInstalled:
    """The members are these, by name with their addresses; this one may be among them.

    Attributes:
        settings: Those of the whole mesh from now on; None leaves them as they are.
    """

    version: int
    addresses: Mapping[str, str]
    settings: Settings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A datagram came. ``source`` is whoever its key says: a member's name, or an observer's."""

    source: str
    datagram: AnyDatagram


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """It is the time that :meth:`Membership.due_s` told, or later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """This member is about to end, and on purpose."""


Event: TypeAlias = RosterInstalled | Received | Tick | Leave

# What to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send a datagram; nobody waits for it."""

    to: str
    datagram: AnyDatagram


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRoster:
    """That member has a newer roster: ask it for it."""

    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendEntries:
    """Send that member the roster's signed entries newer than ``since``, within a datagram."""

    to: str
    since: int
    datagram: Gossip


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeEntries:
    """Signed entries came that may lead to a newer roster."""

    source: str
    entries: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A member can be reached elsewhere from now on."""

    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """This member believes something else of another now; told for the log."""

    name: str
    before: NodeState
    after: NodeState
    incarnation: int
    silent_s: float


Instruction: TypeAlias = Send | FetchRoster | SendEntries | TakeEntries | Moved | Changed
