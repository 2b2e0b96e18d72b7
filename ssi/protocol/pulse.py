"""What members say to each other on the heartbeat plane: datagrams, each with some gossip.

They travel on sockets of their own, apart from requests and replies, and nothing waits for them:
each is complete in itself and may be lost, doubled or late. Source: SWIM, sections 3.1 and 4.1.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from ssi.model.node import NodeMetrics, NodeState, RevokedKey, RosterEntry

MAX_DATAGRAM_BYTES: Final = 1024 * 1024
"""Longest datagram that is read: a :class:`Sync` of many thousand members fits."""


class Rumour(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What is said of one member; of two, the one of higher standing holds.

    Attributes:
        name: The member.
        state: What it is said to be.
        incarnation: Of the member. Only the member itself makes it rise.
        by: Who found out; the member itself where it refutes, empty where it joins.
        at: When, on the hybrid clock of whoever said it first; 0 where that is not known.
        address: Where the member can be reached, if it says so itself.
    """

    name: str
    state: NodeState
    incarnation: int
    by: str = ""
    at: int = 0
    address: str = ""


class Fares(msgspec.Struct, frozen=True, array_like=True):
    """How a node fares: the version of ssi that it runs, and its metrics."""

    version: str
    metrics: NodeMetrics | None = None


class Statement(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What one version of the roster says of one node.

    Attributes:
        system: Of the roster.
        version: Of the roster that brought this.
        name: The node.
        entry: None where it is no node any more.
        next_number: Of the roster.
        digest: Of the whole roster of that version: whoever has heard all has the same.
        profile: Of the roster.
        revoked: A client's key that is let in no more; there is no entry then, and the name is the
            key's and no node's.
    """

    system: str
    version: int
    name: str
    entry: RosterEntry | None
    next_number: int
    digest: bytes
    profile: str = "lan"
    revoked: RevokedKey | None = None


class SignedEntry(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A statement that may pass through anybody's hands.

    Attributes:
        statement: A :class:`Statement`, encoded: what is signed is these bytes.
        signer: The node that vouches for it, by its name.
        signature: Ed25519, by the signer's ``signing_key``.
    """

    statement: bytes
    signer: str
    signature: bytes


class Datagram(msgspec.Struct, frozen=True, array_like=True, kw_only=True, omit_defaults=True):
    """What all have: the sender's incarnation and roster, and some gossip.

    Attributes:
        incarnation: Of the sender; 0 from an observer, which is no member.
        roster_version: Of the sender's roster; whoever has an older one fetches it.
    """

    incarnation: int
    roster_version: int = 0
    rumours: tuple[Rumour, ...] = ()


class Probe(Datagram, frozen=True, tag=0):
    """Asks the receiver whether it lives: :class:`Ack`."""

    sequence: int


class IndirectProbe(Datagram, frozen=True, tag=1):
    """Asks the receiver to probe ``target`` for the sender: :class:`Ack`, or :class:`Nack`."""

    sequence: int
    target: str


class Ack(Datagram, frozen=True, tag=2):
    """The probed member lives.

    Attributes:
        sequence: Of the probe.
        wall_ms: The sender's wall clock; 0 where the ack is passed on for another member.
        fares: Metrics and version of the sender, as :class:`Fares`, for whoever shows them.
    """

    sequence: int
    wall_ms: float = 0.0
    fares: bytes = b""


class Nack(Datagram, frozen=True, tag=3):
    """The one asked for an indirect probe lives, but has heard nothing from the target so far."""

    sequence: int


class Gossip(Datagram, frozen=True, kw_only=True, tag=4):
    """Rumours, and entries of the roster for a member whose own is older.

    Attributes:
        entries: Each a :class:`SignedEntry`, encoded. Versions before them pass them over.
    """

    entries: tuple[bytes, ...] = ()


class _Comparison(Datagram, frozen=True):
    """What the first version of :class:`Sync` has, in its order."""

    digest: int
    answer: bool = True


class Sync(_Comparison, frozen=True, kw_only=True, tag=5):
    """Compares views. ``rumours`` is empty, or what the sender believes.

    Attributes:
        digest: Of the sender's view.
        answer: Whether the sender wants the receiver's view if the digests differ.
        parts: Digests of the parts of the sender's view: only of parts that differ there are, or
            shall be, rumours. Empty where whole views are compared, and from versions before it.
            Those pass it over.
    """

    parts: tuple[int, ...] = ()


AnyDatagram: TypeAlias = Probe | IndirectProbe | Ack | Nack | Gossip | Sync
