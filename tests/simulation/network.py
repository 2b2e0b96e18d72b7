"""A network that loses, delays, doubles and reorders, and whose links can be cut one way."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random


@dataclass(slots=True)
class Network:
    """Decides the fate of each datagram.

    Attributes:
        loss: Share of datagrams that never arrive.
        doubling: Share that arrives twice.
        delay_s: Shortest and longest delay; by chance later ones overtake earlier ones.
        straggling: Share that takes ten times the longest delay.
        cuts: Pairs of sender and receiver between whom nothing passes, in this direction.
        side: Of a partition; members of different sides do not hear each other.
    """

    random: Random
    loss: float = 0.0
    doubling: float = 0.0
    delay_s: tuple[float, float] = (0.0005, 0.005)
    straggling: float = 0.0
    cuts: set[tuple[str, str]] = field(default_factory=set)
    side: dict[str, int] = field(default_factory=dict)

    def passes(self, sender: str, receiver: str) -> bool:
        """Whether the link exists in this direction now."""
        same_side = self.side.get(sender, 0) == self.side.get(receiver, 0)
        return same_side and (sender, receiver) not in self.cuts

    def delays_s(self, sender: str, receiver: str) -> list[float]:
        """After which times a datagram arrives: once, twice, or never."""
        if not self.passes(sender, receiver) or self.random.random() < self.loss:
            return []
        copies = 2 if self.random.random() < self.doubling else 1
        return [self._delay_s() for _ in range(copies)]

    def _delay_s(self) -> float:
        shortest_s, longest_s = self.delay_s
        if self.random.random() < self.straggling:
            return longest_s * 10
        return self.random.uniform(shortest_s, longest_s)

    def heal(self) -> None:
        """Every link works again."""
        self.loss = self.doubling = self.straggling = 0.0
        self.cuts.clear()
        self.side.clear()
