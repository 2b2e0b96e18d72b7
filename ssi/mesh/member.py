"""What one member believes of another, and which of two rumours holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ssi.mesh.suspicion import Suspicion
from ssi.model.node import NodeState
from ssi.protocol.pulse import Rumour

_RANK: Final = {NodeState.ALIVE: 0, NodeState.SUSPECT: 1, NodeState.DEAD: 2, NodeState.LEFT: 3}

Standing = tuple[int, int]


def standing(incarnation: int, state: NodeState) -> Standing:
    """What of two rumours is higher holds: the later incarnation, and in it the worse news.

    So members may hear rumours in any order and as often as may be, and come to believe the same.
    Source: SWIM, section 4.2, the order of its messages.
    """
    return incarnation, _RANK[state]


@dataclass(slots=True, kw_only=True)
class Member:
    """What is believed of one member.

    Attributes:
        heard_at_s: When an answer of it last came, directly or through another; or it was added.
        ever_heard: Whether one ever came.
        changed_at_s: When the belief last changed.
        by: Who said what is believed, and ``at`` when.
        address: Where it is reached: where the roster has it, or where it said itself.
        announced: The latter alone. Only that is told to others, whose roster may be the newer one.
        suspicion: Where it is suspect.
        rtt_s: Of the last direct probe; None before the first.
        clock_offset_s: Its wall clock minus ours, right to half of ``rtt_s``. Source: RFC 5905,
            section 8.
    """

    name: str
    heard_at_s: float
    changed_at_s: float
    state: NodeState = NodeState.ALIVE
    incarnation: int = 0
    by: str = ""
    at: int = 0
    address: str = ""
    announced: str = ""
    ever_heard: bool = False
    suspicion: Suspicion | None = field(default=None, repr=False)
    rtt_s: float | None = None
    clock_offset_s: float | None = None

    @property
    def standing(self) -> Standing:
        """How the belief ranks among rumours."""
        return standing(self.incarnation, self.state)

    @property
    def is_there(self) -> bool:
        """Whether it is alive, or may be."""
        return self.state in {NodeState.ALIVE, NodeState.SUSPECT}

    @property
    def rumour(self) -> Rumour:
        """The belief, as it is told to others."""
        return Rumour(self.name, self.state, self.incarnation, self.by, self.at, self.announced)

    def adopt(self, rumour: Rumour, now_s: float) -> None:
        """Believes a rumour."""
        if rumour.state is not self.state or rumour.incarnation != self.incarnation:
            self.changed_at_s = now_s
        self.state, self.incarnation = rumour.state, rumour.incarnation
        self.by, self.at = rumour.by, rumour.at
        self.announce(rumour.address)
        self.suspicion = None

    def announce(self, address: str) -> None:
        """It said where it is reached; empty: it did not."""
        if address:
            self.address = self.announced = address
