"""What a member believes of all others, how rumours change it, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ssi.mesh.awareness import Awareness
from ssi.mesh.chronicle import Chronicle
from ssi.mesh.event import Changed, Instruction, Moved, Now
from ssi.mesh.fingerprints import Fingerprints
from ssi.mesh.gossip import GossipQueue
from ssi.mesh.hybridclock import HybridClock
from ssi.mesh.member import Member, standing
from ssi.mesh.settings import Settings
from ssi.mesh.sides import Sides
from ssi.mesh.suspicion import Suspicion
from ssi.model.node import NodeState
from ssi.protocol.pulse import Rumour

MAX_RUMOURS: Final = 10_000
"""That wait to be passed on, whatever the number of members."""

MAX_STRANGERS: Final = 256
"""Rumours kept of nodes that our roster does not name yet."""


RECENT: Final = 32
"""Happenings that are compared along with the views."""


class Beliefs:
    """The view of one member.

    Args:
        name: Of this member; empty for an observer, which is none and says nothing.
        incarnation: Higher than in any earlier life of this member.
        address: Where this member can be reached, if it is not where the roster has it.
        settings: Of the whole mesh.
    """

    def __init__(self, name: str, incarnation: int, address: str, settings: Settings) -> None:
        self.settings = settings
        self.me = Member(
            name=name, incarnation=incarnation, announced=address, heard_at_s=0.0, changed_at_s=0.0
        )
        self.members: dict[str, Member] = {}
        self.suspects: dict[str, Suspicion] = {}
        self.awareness = Awareness(settings.awareness_limit)
        self.gossip = GossipQueue(MAX_RUMOURS)
        self.clock = HybridClock()
        self.chronicle = Chronicle()
        self._strangers: dict[str, Rumour] = {}
        self._sides = Sides()
        self._prints = Fingerprints()

    @property
    def is_observer(self) -> bool:
        """Whether this is no member, and only looks on."""
        return not self.me.name

    @property
    def there(self) -> list[str]:
        """The others that are alive or suspect, in the order of their names."""
        return self._sides.there

    @property
    def gone(self) -> list[str]:
        """The others that are dead or left, in the order of their names."""
        return self._sides.gone

    @property
    def size(self) -> int:
        """How many members there are, this one included."""
        return len(self._sides.there) + 1

    def gossip_pace_s(self) -> float:
        """Between two rounds of gossip, in seconds.

        Who doubts itself in a large mesh is mostly too busy: there a storm of suspicions and
        refutations would feed itself, since what it costs to pass them on makes more come late.
        """
        pace_s = self.settings.gossip_pace_s(self.size)
        return pace_s if self.settings.probes_all(self.size) else self.awareness.scale(pace_s)

    def follow(self, addresses: Mapping[str, str], now: Now) -> list[Instruction]:
        """Takes the roster's word on who is a member at all."""
        for name in set(self.members) - set(addresses):
            self._forget(name)
        told: list[Instruction] = []
        for name, address in addresses.items():
            if name == self.me.name:
                continue
            member = self.members.get(name)
            if member is None:
                member = self.members[name] = Member(
                    name=name,
                    address=address,
                    heard_at_s=now.elapsed_s,
                    changed_at_s=now.elapsed_s,
                )
                self._sides.place(name, is_there=True)
                self._prints.put(member.rumour)
            elif address != member.address:
                member.address, member.announced = address, ""
        if not self.is_observer and not self.me.at:
            self.me.at = self.clock.stamp(now.wall_ms)
            self._tell(self.me.rumour)
        for name in set(self._strangers) & set(self.members):
            told += self.hear(self._strangers.pop(name), now)
        return told

    def hear(self, rumour: Rumour, now: Now, *, compared: bool = False) -> list[Instruction]:
        """Takes in a rumour: it is believed if it stands higher than what is believed.

        Args:
            rumour: What is said of a member.
            now: When it was heard.
            compared: Whether it came of a comparison of views, by which a newcomer learns what all
                others have known for long. In a large mesh it would take minutes to tell it on.
        """
        self.clock.observe(rumour.at, now.wall_ms)
        if rumour.name == self.me.name:
            if rumour.name:
                self.chronicle.add(rumour)
                self._defend(rumour, now)
            return []
        member = self.members.get(rumour.name)
        if member is None:
            if rumour.name and len(self._strangers) < MAX_STRANGERS:
                self._strangers[rumour.name] = rumour
            return []
        self.chronicle.add(rumour)
        theirs = standing(rumour.incarnation, rumour.state)
        is_known = compared and member.at == 0 and rumour.state is NodeState.ALIVE
        is_news = not is_known or self.settings.probes_all(self.size)
        if theirs > member.standing:
            return self._adopt(member, rumour, now, is_news=is_news)
        if theirs == member.standing:
            return self._hear_again(member, rumour, is_news=is_news)
        return []

    def heard_from(self, name: str, incarnation: int, now: Now) -> list[Instruction]:
        """Takes in that a member itself spoke, or that another one has just heard it."""
        member = self.members.get(name)
        if member is None:
            return []
        member.heard_at_s, member.ever_heard = now.elapsed_s, True
        # An observer accuses nobody, so nobody will refute: its own ears have to do.
        revived = self.is_observer and incarnation == member.incarnation and not member.is_there
        if incarnation > member.incarnation or revived:
            return self._adopt(member, Rumour(name, NodeState.ALIVE, incarnation), now)
        return []

    def suspect(self, name: str, now: Now) -> list[Instruction]:
        """A probe of that member failed."""
        member = self.members.get(name)
        if member is None or not member.is_there:
            return []
        at = self.clock.stamp(now.wall_ms)
        accusation = Rumour(name, NodeState.SUSPECT, member.incarnation, self.me.name, at)
        return self.hear(accusation, now)

    def expire(self, now: Now) -> list[Instruction]:
        """Believes those dead that did not refute in time."""
        told: list[Instruction] = []
        for name, suspicion in list(self.suspects.items()):
            if suspicion.ends_s <= now.elapsed_s:
                at = self.clock.stamp(now.wall_ms)
                incarnation = self.members[name].incarnation
                told += self.hear(Rumour(name, NodeState.DEAD, incarnation, self.me.name, at), now)
        return told

    def leave(self, now: Now) -> None:
        """This member ends on purpose, and refutes nothing any more."""
        self.me.state, self.me.by = NodeState.LEFT, self.me.name
        self.me.at = self.clock.stamp(now.wall_ms)
        self._tell(self.me.rumour)

    def accusation_of(self, name: str) -> Rumour | None:
        """What a member has to be told first of all: that it is not believed alive.

        Source: Lifeguard, section IV.C (buddy system).
        """
        member = self.members.get(name)
        return member.rumour if member and member.state is not NodeState.ALIVE else None

    def all_rumours(self) -> tuple[Rumour, ...]:
        """The whole view and what happened last, for a member whose view differs."""
        view = [member.rumour for member in self.members.values()]
        mine = [] if self.is_observer else [self.me.rumour]
        return tuple(self.chronicle.newest(RECENT) + view + mine)

    def rumours_of(self, wanted: set[int], parts: int) -> tuple[Rumour, ...]:
        """Those of :meth:`all_rumours` that belong to some of so many parts."""
        part_of = self._prints.part_of
        recent = [r for r in self.chronicle.newest(RECENT) if part_of(r.name, parts) in wanted]
        known = self.members.values() if self.is_observer else [*self.members.values(), self.me]
        return (*recent, *(m.rumour for m in known if part_of(m.name, parts) in wanted))

    def digest(self) -> int:
        """The same for equal views and equal memories."""
        return self.digests(1)[0]

    def digests(self, parts: int) -> tuple[int, ...]:
        """As :meth:`digest`, of each of so many parts: whatever concerns one member is in one."""
        if not self.is_observer:
            self._prints.put(self.me.rumour)
        return self._prints.digests(parts, self.chronicle.newest(RECENT))

    def _defend(self, rumour: Rumour, now: Now) -> None:
        """Refutes what is said of this member and is not so. Source: SWIM, section 4.2."""
        me = self.me
        if me.state is NodeState.LEFT or self.is_observer:
            return
        if standing(rumour.incarnation, rumour.state) <= me.standing:
            return
        me.incarnation, me.by = rumour.incarnation + 1, me.name
        me.at = self.clock.stamp(now.wall_ms)
        if rumour.state is not NodeState.ALIVE:
            self.awareness.worsen()
        self._tell(me.rumour)

    def _adopt(
        self, member: Member, rumour: Rumour, now: Now, *, is_news: bool = True
    ) -> list[Instruction]:
        before, address = member.state, member.address
        member.adopt(rumour, now.elapsed_s)
        self._sides.place(member.name, is_there=member.is_there)
        self._prints.put(member.rumour)
        self.suspects.pop(member.name, None)
        if member.state is NodeState.SUSPECT:
            self._begin_suspicion(member, now)
        if rumour.at and is_news:
            self._tell(member.rumour)
        told: list[Instruction] = []
        if member.address != address:
            told.append(Moved(name=member.name, address=member.address))
        if member.state is not before:
            told.append(
                Changed(
                    name=member.name,
                    before=before,
                    after=member.state,
                    incarnation=member.incarnation,
                    silent_s=now.elapsed_s - member.heard_at_s,
                )
            )
        return told

    def _begin_suspicion(self, member: Member, now: Now) -> None:
        shortest_s = self.settings.shortest_suspicion_s(self.size)
        member.suspicion = Suspicion(
            began_s=now.elapsed_s,
            shortest_s=shortest_s,
            longest_s=shortest_s * self.settings.suspicion_stretch,
            wanted=0 if self.is_observer else self.settings.confirmations_of(self.size),
            accusers={member.by},
        )
        self.suspects[member.name] = member.suspicion

    def _hear_again(self, member: Member, rumour: Rumour, *, is_news: bool) -> list[Instruction]:
        if member.suspicion is not None and member.suspicion.confirm(rumour.by):
            self._correct(rumour)
        if not rumour.at or 0 < member.at <= rumour.at:
            return []
        # Of two who found out at once the earlier is believed, so that all views agree.
        address = member.address
        member.by, member.at = rumour.by, rumour.at
        member.announce(rumour.address)
        self._prints.put(member.rumour)
        if is_news:
            self._correct(member.rumour)
        return (
            [] if member.address == address else [Moved(name=member.name, address=member.address)]
        )

    def _tell(self, rumour: Rumour) -> None:
        self.chronicle.add(rumour)
        if not self.is_observer:
            self.gossip.put(rumour)

    def _correct(self, rumour: Rumour) -> None:
        self.chronicle.add(rumour)
        if not self.is_observer:
            size = self.size
            times = self.settings.corrections(size)
            self.gossip.correct(rumour, self.settings.repeats(size), times)

    def _forget(self, name: str) -> None:
        del self.members[name]
        self._sides.drop(name)
        self._prints.drop(name)
        self.suspects.pop(name, None)
        self.gossip.forget(name)
