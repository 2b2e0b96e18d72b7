"""The state machine: probes, acks, gossip and comparisons of views, each when it is due."""

from __future__ import annotations

from typing import Final, TypedDict, assert_never

from ssi.mesh.beliefs import Beliefs
from ssi.mesh.catchingup import CatchingUp
from ssi.mesh.chance import Chance
from ssi.mesh.comparing import Comparing, answer_to, question
from ssi.mesh.event import (
    Event,
    FetchRoster,
    Instruction,
    Leave,
    Now,
    Received,
    RosterInstalled,
    Send,
    SendEntries,
    TakeEntries,
    Tick,
)
from ssi.mesh.partners import TRIED, partners
from ssi.mesh.probing import PendingProbe, Probing, Relay
from ssi.mesh.ring import Ring
from ssi.mesh.settings import LAN, Settings
from ssi.model.node import NodeState
from ssi.protocol.pulse import (
    Ack,
    AnyDatagram,
    Gossip,
    IndirectProbe,
    Nack,
    Probe,
    Rumour,
    Sync,
)

NEVER: Final = float("inf")


class _Head(TypedDict):
    """The fields that every datagram has."""

    incarnation: int
    roster_version: int
    rumours: tuple[Rumour, ...]


class Membership:
    """Feed it events in the order of their times, ticks at :meth:`due_s`, and do what it says.

    Args:
        name: Of this member; empty for an observer.
        incarnation: Higher than in any earlier life of this member; 0 for an observer.
        random: Its choices.
        settings: Of the whole mesh.
        address: Where this member can be reached, if it is not where the roster has it.
    """

    def __init__(
        self,
        name: str,
        incarnation: int,
        random: Chance,
        settings: Settings = LAN,
        address: str = "",
    ) -> None:
        self.settings = settings
        self.beliefs = Beliefs(name, incarnation, address, settings)
        self.roster_version = 0
        self._random = random
        self._ring = Ring(random)
        self._probing = Probing()
        self._probe_at_s = self._gossip_at_s = self._reach_out_at_s = NEVER
        self._catching_up = CatchingUp()
        self._comparing = Comparing()
        self._handled_s = -NEVER
        self._told_due_s = NEVER

    def __repr__(self) -> str:
        members = self.beliefs.members.values()
        told = " ".join(f"{m.name}={m.state}" for m in members)
        return f"Membership({self.beliefs.me.name}: {told})"

    @property
    def probes_all(self) -> bool:
        """Whether each of the others is probed in each period."""
        return self.settings.probes_all(self.beliefs.size)

    def due_s(self) -> float:
        """When the next :class:`Tick` is due; infinity if only another event can change that."""
        due_s = min(
            self._probe_at_s, self._comparing.due_s, self._reach_out_at_s, self._probing.due_s()
        )
        if len(self.beliefs.gossip):
            due_s = min(due_s, self._gossip_at_s)
        for suspicion in self.beliefs.suspects.values():
            due_s = min(due_s, suspicion.ends_s)
        self._told_due_s = max(due_s, self._handled_s)
        return self._told_due_s

    def handle(self, event: Event, now: Now) -> list[Instruction]:
        """Takes in an event; the instructions are to be carried out in order."""
        if self.beliefs.me.state is NodeState.LEFT:
            return []
        self._handled_s = now.elapsed_s
        match event:
            case Tick():
                return self._tick(now)
            case Received(source=source, datagram=datagram):
                return self._receive(source, datagram, now)
            case RosterInstalled():
                return self._follow(event, now)
            case Leave():
                return self._leave(now)
            case _:
                assert_never(event)

    # The roster, and leaving

    def _follow(self, event: RosterInstalled, now: Now) -> list[Instruction]:
        is_first = self.roster_version == 0
        self.roster_version = event.version
        if event.settings is not None:
            self.settings = self.beliefs.settings = event.settings
        self._catching_up.arrived()
        told = self.beliefs.follow(event.addresses, now)
        self._ring.follow(set(self.beliefs.members))
        if not self.beliefs.is_observer:
            # It is a rumour too: the datagrams that carry it tell the version.
            self.beliefs.gossip.put(Rumour("", NodeState.ALIVE, event.version))
        if is_first:
            self._probe_at_s = self._gossip_at_s = self._reach_out_at_s = now.elapsed_s
            self._comparing.begin(now.elapsed_s)
        if self.settings.probes_all(self.beliefs.size):
            # A first look at all newcomers, instead of after a whole period.
            strange = [m.name for m in self.beliefs.members.values() if not m.ever_heard]
            told += [self._probe(each, now) for each in strange if not self._probing.probes(each)]
        return told

    def _leave(self, now: Now) -> list[Instruction]:
        self.beliefs.leave(now)
        told = self._sample(self.settings.farewells)
        farewell = Gossip(
            incarnation=self.beliefs.me.incarnation, rumours=(self.beliefs.me.rumour,)
        )
        return [Send(to=name, datagram=farewell) for name in told]

    # Time

    def _tick(self, now: Now) -> list[Instruction]:
        late_s = now.elapsed_s - self._told_due_s
        if late_s > self.settings.late_s:
            self._excuse(late_s)
        told = self._look_after_probes(now)
        told += self.beliefs.expire(now)
        if self._probe_at_s <= now.elapsed_s:
            told += self._probe_next(now)
        if self._reach_out_at_s <= now.elapsed_s:
            told += self._reach_out(now)
        if self._comparing.due_s <= now.elapsed_s:
            told += self._compare(now)
        if self._gossip_at_s <= now.elapsed_s and len(self.beliefs.gossip):
            told += self._spread(now)
        return told

    def _excuse(self, late_s: float) -> None:
        """This member was paused: what is due now had no chance to come, so nobody is accused."""
        self._probing.shift(late_s)
        for suspicion in self.beliefs.suspects.values():
            suspicion.began_s += late_s
        self.beliefs.awareness.worsen()

    def _probe_next(self, now: Now) -> list[Instruction]:
        members = self.beliefs.members
        name = self._ring.next(
            lambda each: members[each].is_there and not self._probing.probes(each)
        )
        pace_s = self.settings.probe_pace_s(self.beliefs.size)
        self._probe_at_s = now.elapsed_s + self.beliefs.awareness.scale(pace_s)
        return [] if name is None else [self._probe(name, now)]

    def _probe(self, name: str, now: Now, *, counts: bool = True) -> Send:
        scale = self.beliefs.awareness.scale
        sequence = self._probing.next_sequence()
        self._probing.pending[sequence] = PendingProbe(
            sequence=sequence,
            target=name,
            sent_at_s=now.elapsed_s,
            sent_wall_ms=now.wall_ms,
            asks_at_s=now.elapsed_s + scale(self.settings.ack_timeout_s) if counts else NEVER,
            fails_at_s=now.elapsed_s + scale(self.settings.fail_after_s),
            counts=counts,
        )
        return Send(to=name, datagram=Probe(**self._head(name), sequence=sequence))

    def _look_after_probes(self, now: Now) -> list[Instruction]:
        told: list[Instruction] = []
        for probe in list(self._probing.pending.values()):
            if probe.fails_at_s <= now.elapsed_s:
                del self._probing.pending[probe.sequence]
                told += self._fail(probe, now)
            elif probe.asks_at_s <= now.elapsed_s:
                told += self._ask_others(probe, now)
        for sequence, relay in list(self._probing.relays.items()):
            if relay.ends_at_s <= now.elapsed_s:
                del self._probing.relays[sequence]
            elif relay.nacks_at_s <= now.elapsed_s:
                relay.nacks_at_s = NEVER
                nack = Nack(**self._head(relay.asker), sequence=relay.asker_sequence)
                told.append(Send(to=relay.asker, datagram=nack))
        return told

    def _ask_others(self, probe: PendingProbe, now: Now) -> list[Instruction]:
        probe.asks_at_s = NEVER
        helpers = self._partners(self.settings.helpers, now, but=probe.target)
        probe.helpers, probe.asked = set(helpers), len(helpers)
        return [
            Send(
                to=name,
                datagram=IndirectProbe(
                    **self._head(name), sequence=probe.sequence, target=probe.target
                ),
            )
            for name in helpers
        ]

    def _fail(self, probe: PendingProbe, now: Now) -> list[Instruction]:
        member = self.beliefs.members.get(probe.target)
        # Whatever it said itself since then is as good as the ack, which a restart may have lost.
        if not probe.counts or member is None or member.heard_at_s > probe.sent_at_s:
            return []
        # Helpers that are silent too make it likely that the fault is here.
        self.beliefs.awareness.worsen(len(probe.helpers) if probe.asked else 1)
        return self.beliefs.suspect(probe.target, now)

    def _reach_out(self, now: Now) -> list[Instruction]:
        """Probes some that are believed dead: nobody else would end a partition."""
        pace_s, count = self.settings.reach_out(self.beliefs.size)
        self._reach_out_at_s = now.elapsed_s + pace_s
        gone = self.beliefs.gone
        return [
            self._probe(name, now, counts=False)
            for name in self._random.sample(gone, min(count, len(gone)))
        ]

    def _compare(self, now: Now) -> list[Instruction]:
        if not self._comparing.is_time(self.beliefs, self.settings, self._random, now.elapsed_s):
            return []
        asked = question(self.beliefs, self.settings)
        sync = Sync(**self._head(""), digest=asked.digest, parts=asked.parts)
        return [Send(to=name, datagram=sync) for name in self._sample(1)]

    def _spread(self, now: Now) -> list[Instruction]:
        self._gossip_at_s = now.elapsed_s + self.beliefs.gossip_pace_s()
        targets = self._partners(self.settings.gossip_fanout, now)
        limit_s = now.elapsed_s - self.settings.gossip_to_dead_s
        if not targets:
            self._gossip_at_s = now.elapsed_s + self.settings.probe_interval_s
        fresh_dead = [
            name
            for name in self.beliefs.gone
            if self.beliefs.members[name].state is NodeState.DEAD
            and self.beliefs.members[name].changed_at_s > limit_s
        ]
        if fresh_dead:
            targets.append(self._random.choice(fresh_dead))
        count = self.settings.rumours_per_gossip
        return [
            Send(to=name, datagram=Gossip(**self._head(name, count)))
            for name in targets
            if len(self.beliefs.gossip)
        ]

    # Datagrams

    def _receive(self, source: str, datagram: AnyDatagram, now: Now) -> list[Instruction]:
        told: list[Instruction] = []
        if source in self.beliefs.members:  # a client is no member and has no word in this
            told += self.beliefs.heard_from(source, datagram.incarnation, now)
            compared = isinstance(datagram, Sync)
            for rumour in datagram.rumours:
                told += self.beliefs.hear(rumour, now, compared=compared)
            told += self._compare_roster(source, datagram, now)
        match datagram:
            case Probe():
                ack = Ack(
                    **self._head(source), sequence=datagram.sequence, wall_ms=float(now.wall_ms)
                )
                told.append(Send(to=source, datagram=ack))
            case IndirectProbe():
                told += self._probe_for(source, datagram, now)
            case Ack():
                told += self._take_ack(source, datagram, now)
            case Nack():
                pending = self._probing.pending.get(datagram.sequence)
                if pending is not None:
                    pending.helpers.discard(source)
            case Sync():
                told += self._take_sync(source, datagram)
            case Gossip():
                told += self._contradict(source)
            case _:
                assert_never(datagram)
        return told

    def _contradict(self, source: str) -> list[Instruction]:
        """One that talks and is believed dead has to know, or it could never refute."""
        if self.beliefs.accusation_of(source) is None:
            return []
        return [Send(to=source, datagram=Gossip(**self._head(source)))]

    def _compare_roster(self, source: str, datagram: AnyDatagram, now: Now) -> list[Instruction]:
        """Whoever has the newer roster gives the other what changed since."""
        theirs, ours = datagram.roster_version, self.roster_version
        if isinstance(datagram, Gossip) and datagram.entries and theirs > ours:
            return [TakeEntries(source=source, entries=datagram.entries)]
        if self.beliefs.is_observer:  # nobody gives it anything that it does not ask for
            may_fetch = theirs > ours and self._catching_up.may_ask(now.elapsed_s)
            return [FetchRoster(source=source)] if may_fetch else []
        if 0 < theirs < ours and self._catching_up.may_give(source, theirs, now.elapsed_s):
            head = self._head(source)
            return [SendEntries(to=source, since=theirs, datagram=Gossip(**head))]
        if theirs > ours and self._catching_up.may_ask(now.elapsed_s):
            if self._catching_up.has_asked_in_vain():
                return [FetchRoster(source=source)]
            return [Send(to=source, datagram=Gossip(**self._head(source)))]
        return []

    def _probe_for(self, asker: str, request: IndirectProbe, now: Now) -> list[Instruction]:
        if request.target not in self.beliefs.members:
            return []
        sequence = self._probing.next_sequence()
        self._probing.relays[sequence] = Relay(
            target=request.target,
            asker=asker,
            asker_sequence=request.sequence,
            nacks_at_s=now.elapsed_s + self.settings.nack_after_s,
            ends_at_s=now.elapsed_s + self.settings.probe_interval_s,
        )
        probe = Probe(**self._head(request.target), sequence=sequence)
        return [Send(to=request.target, datagram=probe)]

    def _take_ack(self, source: str, ack: Ack, now: Now) -> list[Instruction]:
        relay = self._probing.relays.pop(ack.sequence, None)
        if relay is not None:
            head = self._head(relay.asker)
            target = self.beliefs.members.get(relay.target)
            if target is not None:  # so that a refutation takes the indirect way as well
                head["rumours"] = (target.rumour, *head["rumours"])
            return [Send(to=relay.asker, datagram=Ack(**head, sequence=relay.asker_sequence))]
        pending = self._probing.pending.pop(ack.sequence, None)
        if pending is None:
            return []
        self.beliefs.awareness.improve()
        member = self.beliefs.members.get(pending.target)
        if member is None:
            return []
        if source == pending.target:
            member.rtt_s = max(now.elapsed_s - pending.sent_at_s, 0.0)
            ahead_s = (ack.wall_ms - pending.sent_wall_ms) / 1000
            member.clock_offset_s = ahead_s - member.rtt_s / 2
        return self.beliefs.heard_from(pending.target, member.incarnation, now)

    def _take_sync(self, source: str, sync: Sync) -> list[Instruction]:
        told = answer_to(sync, self.beliefs, self.settings)
        if told is None:
            return []
        head = self._head(source)
        head["rumours"] = told.rumours
        answer = Sync(**head, digest=told.digest, answer=told.answer, parts=told.parts)
        return [Send(to=source, datagram=answer)]

    def _head(self, to: str, count: int | None = None) -> _Head:
        """What every datagram begins with. An observer passes nothing on, and is told nothing."""
        rumours: tuple[Rumour, ...] = ()
        if to in self.beliefs.members and not self.beliefs.is_observer:
            limit = self.settings.rumours_per_probe if count is None else count
            repeats = self.settings.repeats(self.beliefs.size)
            first = self.beliefs.accusation_of(to)
            rumours = self.beliefs.gossip.take(limit, repeats, first)
        return {
            "incarnation": self.beliefs.me.incarnation,
            "roster_version": self.roster_version,
            "rumours": rumours,
        }

    def _partners(self, count: int, now: Now, but: str = "") -> list[str]:
        if self.probes_all:
            return self._sample(count, but)
        sample = self._sample(count * TRIED, but)
        return partners(sample, count, self.beliefs.members, now.elapsed_s)

    def _sample(self, count: int, but: str = "") -> list[str]:
        there = self.beliefs.there
        taken = self._random.sample(there, min(count + 1, len(there)))
        return [name for name in taken if name != but][:count]
