"""The times and numbers of membership, their formulas, and what each trades."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

FIRST_SYNC_S: Final = 0.5
"""After a first roster: a member that was away has much to hear."""

MAX_PARTS: Final = 256
"""Of a view that is compared: their digests stay within two packets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How often members are probed, and how long silence lasts before it means something.

    Attributes:
        probe_interval_s: The protocol period. Shorter finds deaths sooner and costs two messages
            per probe. Source: SWIM, section 3.1.
        ack_timeout_s: After which others are asked to try. Longer than nearly every round trip;
            shorter leaves the others more of the period.
        fail_after_s: When a probe counts as failed, however it was tried. The indirect way needs
            two round trips and the :attr:`nack_after_s` of the helper.
        nack_after_s: After which a helper says that it lives but has heard nothing of the target.
        helpers: Members asked to try. More of them withstand more loss, for more messages on each
            failed probe. Source: SWIM, section 3.1 (k).
        full_probing_up_to: Up to so many members each is probed by each, in turn: deaths are
            found within one period whoever else is slow, and how busy each is comes with it.
        probes_per_period: Of each member there. Up to so many others each is probed in each period.
            More of them find how busy each is sooner; the cost of an agent grows with their number.
        suspicion_periods: How long a suspect has to refute, in periods, for up to ten members and
            as their logarithm beyond. Longer gives a paused machine more time; each death is
            known so much later.
        suspicion_stretch: How many times longer a suspicion lasts that nobody else confirms.
            Source: Lifeguard, section IV.B (beta).
        confirmations: Other accusers after which a suspicion lasts no longer than its minimum.
            Source: Lifeguard, section IV.B (K).
        awareness_limit: Probes get at most so many times slower while this member doubts itself.
            Source: Lifeguard, section IV.A (S).
        late_s: A tick that comes so much too late tells that this member was paused.
        gossip_interval_s: Between two rounds of gossip while there is any. Shorter spreads faster
            than probes alone do, for a burst of messages on each change.
        gossip_stretch: Beyond full probing rounds are so many times rarer: more rumours go along on
            probes and acks, and of two about one member only the newer is told. Larger saves bytes
            and spreads more slowly.
        gossip_fanout: Members told in each round.
        gossip_repeat: A rumour is passed on so often, times the logarithm of the members.
            Source: SWIM, section 4.1 (lambda).
        names_per_part: Beyond full probing views are compared in parts of about so many names.
            Fewer make the digests of the parts longer, more the parts that differ.
        rumours_per_probe: Rumours on a probe or an ack: what bounds their size.
        rumours_per_gossip: Rumours on a datagram of gossip.
        gossip_to_dead_s: The dead are still told for so long, since they may be able to refute.
        sync_interval_s: Between two comparisons of views with a random member. What gossip missed
            is mended after about so long.
        reach_out_interval_s: Between two rounds of probes to members that are believed dead.
            Shorter heals a partition sooner, and sees sooner who is back.
        reach_outs: How many are probed in a round.
        farewells: Members that one which leaves tells so; gossip tells the others.
    """

    probe_interval_s: float = 1.0
    ack_timeout_s: float = 0.4
    fail_after_s: float = 0.9
    nack_after_s: float = 0.3
    helpers: int = 3
    full_probing_up_to: int = 50
    probes_per_period: int = 16
    suspicion_periods: float = 2.9
    suspicion_stretch: float = 6.0
    confirmations: int = 2
    awareness_limit: int = 8
    late_s: float = 0.5
    gossip_interval_s: float = 0.2
    gossip_stretch: float = 2.5
    gossip_fanout: int = 3
    gossip_repeat: int = 4
    names_per_part: int = 16
    rumours_per_probe: int = 6
    rumours_per_gossip: int = 24
    gossip_to_dead_s: float = 30.0
    sync_interval_s: float = 5.0
    reach_out_interval_s: float = 0.5
    reach_outs: int = 4
    farewells: int = 50

    def __post_init__(self) -> None:
        assert 0 < self.nack_after_s < self.ack_timeout_s
        assert self.ack_timeout_s + self.nack_after_s < self.fail_after_s <= self.probe_interval_s
        assert self.suspicion_periods > 0
        assert self.suspicion_stretch >= 1

    def probes_all(self, members: int) -> bool:
        """Whether each of so many members is probed by each."""
        return members <= self.full_probing_up_to

    def probe_pace_s(self, members: int) -> float:
        """Between two probes of one member. Full probing is the same ring, walked faster.

        However fast, all others together probe each member some :attr:`probes_per_period` times in
        a period, so the first of them finds a death as soon as where all of them probe it.
        """
        each = min(members, self.probes_per_period) if self.probes_all(members) else 1
        return self.probe_interval_s / each

    def reach_out(self, members: int) -> tuple[float, int]:
        """Between two rounds, and how many are probed; the burden of a large mesh is shared.

        However many there are, some hundred probes go to the dead in each period. So a large mesh
        with a few dead pays no more for each member, and hears as soon that one is back.
        """
        if self.probes_all(members):
            return self.reach_out_interval_s, self.reach_outs
        shared_s = self.probe_interval_s * max(1.0, members / 100)
        return max(self.reach_out_interval_s, shared_s), 1

    def shortest_suspicion_s(self, members: int) -> float:
        """How long a suspicion lasts that others confirm.

        A refutation needs about log n periods to reach everybody, and so does the accusation to
        reach the suspect. Source: SWIM, section 4.2.
        """
        growth = max(1.0, math.log10(max(members, 1)))
        return self.suspicion_periods * self.probe_interval_s * growth

    def confirmations_of(self, members: int) -> int:
        """Confirmations to wait for; none where there are too few members to give them."""
        others = members - 2  # all but the suspect and this one
        return self.confirmations if others >= self.confirmations else 0

    def repeats(self, members: int) -> int:
        """How often a rumour is passed on: everybody has heard it then, with high probability."""
        return math.ceil(self.gossip_repeat * math.log10(members + 1))

    def corrections(self, members: int) -> int:
        """How often it is passed on who else found out: what is believed does not depend on it."""
        repeats = self.repeats(members)
        return math.ceil(repeats / (2 if self.probes_all(members) else 4))

    def gossip_pace_s(self, members: int) -> float:
        """Between two rounds of gossip."""
        return self.gossip_interval_s * (1 if self.probes_all(members) else self.gossip_stretch)

    def parts(self, members: int) -> int:
        """How many parts a view is compared in; 1 where a whole view is short anyway."""
        if self.probes_all(members):
            return 1
        return min(max(members // self.names_per_part, 1), MAX_PARTS)

    def sync_pace_s(self, members: int) -> float:
        """Between two comparisons: rarer the more there are, for each view is longer then."""
        return self.sync_interval_s * max(1.0, math.log2(max(members, 1) / 32) + 1)


LAN: Final = Settings()
"""One site: a death is known everywhere within 5 s, and a pause of 3 s is survived.

From killed to dead to all, of up to ten members: at most ``probe_interval_s + fail_after_s +
suspicion_periods * probe_interval_s`` = 1 + 0.9 + 2.9 = 4.8 s, which is what ``suspicion_periods``
was chosen for; and a pause of ``fail_after_s + 2.9`` = 3.8 s costs nobody its life.
"""

WAN: Final = Settings(
    probe_interval_s=5.0,
    ack_timeout_s=2.0,
    fail_after_s=4.5,
    nack_after_s=1.5,
    suspicion_periods=4.0,
    late_s=2.0,
    gossip_interval_s=0.5,
    gossip_fanout=4,
    gossip_to_dead_s=60.0,
    sync_interval_s=30.0,
    reach_out_interval_s=10.0,
)
"""Sites far apart: round trips of hundreds of milliseconds and lossy links accuse nobody.

By the same formula a death is known to all after at most 5 + 4.5 + 4 * 5 = 29.5 s: six times as
long as on one site, for a fifth of its messages, and for silence of 24 s that costs nobody's
life. ``ack_timeout_s`` is beyond a round trip of 300 ms whose packet TCP had to send again, twice;
``fail_after_s`` leaves the indirect way, of two such round trips, 2.5 s. ``suspicion_periods`` is
what a route takes to come back after one of its routers went. ``gossip_interval_s`` is longer than
most round trips, so that a rumour is not told to who has it; ``gossip_fanout`` makes up for it.
Views are compared less often, as each comparison may cross an expensive link.
"""

PROFILES: Final = {"lan": LAN, "wan": WAN}
"""By the word that a roster has."""
