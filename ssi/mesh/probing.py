"""The probes under way: ours, and those that we make for others.

Source: SWIM, section 3.1; the nack of helpers is Lifeguard's, section IV.A.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class PendingProbe:
    """A probe of ours that is not answered yet.

    Attributes:
        asks_at_s: When others are asked to try; infinity once they were.
        fails_at_s: When it counts as failed.
        helpers: Who was asked to try, and has not said a word yet.
        asked: How many were.
        counts: Whether its failure means anything; not so for one that is believed dead already.
    """

    sequence: int
    target: str
    sent_at_s: float
    sent_wall_ms: float
    asks_at_s: float
    fails_at_s: float
    helpers: set[str] = field(default_factory=set)
    asked: int = 0
    counts: bool = True


@dataclass(slots=True, kw_only=True)
class Relay:
    """A probe that we made for another member.

    Attributes:
        asker: Who wants to know.
        asker_sequence: Its number for it.
        nacks_at_s: When we say that we have heard nothing; infinity once we did.
        ends_at_s: When it is forgotten.
    """

    target: str
    asker: str
    asker_sequence: int
    nacks_at_s: float
    ends_at_s: float


class Probing:
    """Both tables, by sequence number, and when something in them is due."""

    def __init__(self) -> None:
        self.pending: dict[int, PendingProbe] = {}
        self.relays: dict[int, Relay] = {}
        self._sequence = 0

    def next_sequence(self) -> int:
        """A number that no probe of ours has had."""
        self._sequence += 1
        return self._sequence

    def probes(self, target: str) -> bool:
        """Whether a probe of that member is under way."""
        return any(probe.target == target for probe in self.pending.values())

    def due_s(self) -> float:
        """When the next of them has to be looked at; infinity if none."""
        due_s = float("inf")
        for probe in self.pending.values():
            due_s = min(due_s, probe.asks_at_s, probe.fails_at_s)
        for relay in self.relays.values():
            due_s = min(due_s, relay.nacks_at_s, relay.ends_at_s)
        return due_s

    def shift(self, by_s: float) -> None:
        """Gives each so much more time."""
        for probe in self.pending.values():
            probe.asks_at_s += by_s
            probe.fails_at_s += by_s
        for relay in self.relays.values():
            relay.nacks_at_s += by_s
            relay.ends_at_s += by_s

    def forget(self, target: str) -> None:
        """Drops what concerns a member that is none any more, or needs no answer."""
        self.pending = {s: p for s, p in self.pending.items() if p.target != target}
        self.relays = {s: r for s, r in self.relays.items() if r.target != target}
