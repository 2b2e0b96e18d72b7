"""Many members in one process: the production machine, with clock and network replaced."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

import msgspec

from ssi.mesh.event import (
    Changed,
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
from ssi.mesh.membership import Membership
from ssi.mesh.settings import LAN, Settings
from ssi.model.node import NodeState
from ssi.protocol.pulse import AnyDatagram
from tests.simulation.network import Network

START_MS: Final = 1_700_000_000_000

ENTRY_BYTES: Final = 300
"""Of a signed entry of the roster: names, keys, address, ports, digest, signature."""

_encoder: Final = msgspec.msgpack.Encoder()


class Broken(AssertionError):
    """Something that must hold does not."""


@dataclass(slots=True)
class Host:
    """A machine with one member on it.

    Attributes:
        skew_ms: Of its wall clock.
        paused: Its processes stand still, and what arrives waits.
        lives: How often its agent was started.
        due_s: When a tick of it is in the queue of events.
    """

    name: str
    machine: Membership
    skew_ms: int = 0
    running: bool = True
    paused: bool = False
    left: bool = False
    lives: int = 1
    inbox: list[Event] = field(default_factory=list)
    due_s: float = float("inf")
    incarnations: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sighting:
    """That an observer changed its mind about a member."""

    at_s: float
    observer: str
    name: str
    after: NodeState


class World:
    """Runs hosts on a virtual clock; the same seed gives the same run, event by event."""

    def __init__(self, seed: int, settings: Settings = LAN) -> None:
        self.random = Random(seed)
        self.settings = settings
        self.network = Network(self.random)
        self.now_s = 0.0
        self.hosts: dict[str, Host] = {}
        self.rosters: dict[int, dict[str, str]] = {0: {}}
        self.sightings: list[Sighting] = []
        self.messages: defaultdict[str, int] = defaultdict(int)
        self.bytes: defaultdict[str, int] = defaultdict(int)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    # What may happen

    def at(self, at_s: float, action: Callable[[], None]) -> None:
        """Does something later."""
        heapq.heappush(self._events, (at_s, next(self._order), action))

    def boot(self, name: str, address: str = "") -> None:
        """Starts a member, as a new one or again; it knows the newest roster."""
        old = self.hosts.get(name)
        incarnation = int(self._now(old.skew_ms if old else 0).wall_ms)
        if old is not None:  # its agent remembers the last one it used
            incarnation = max(incarnation, old.machine.beliefs.me.incarnation + 1)
        machine = Membership(
            name, incarnation, Random(self.random.random()), self.settings, address
        )
        host = Host(name, machine)
        if old is not None:
            host.skew_ms, host.lives = old.skew_ms, old.lives + 1
        self.hosts[name] = host
        self._install(host, max(self.rosters))

    def enrol(self, *names: str) -> None:
        """The roster has these, too, and one of them and one of the old members are told."""
        version = max(self.rosters) + 1
        addresses = {name: f"10.0.0.{number}" for number, name in enumerate(names)}
        self.rosters[version] = {**self.rosters[version - 1], **addresses}

    def begin(self, names: list[str]) -> None:
        """A mesh of these, all told of each other."""
        self.enrol(*names)
        for name in names:
            self.boot(name)

    def begin_settled(self, names: list[str]) -> None:
        """A mesh that has been there for long: all have heard of all, and nothing is to tell."""
        self.begin(names)
        told = [host.machine.beliefs.me.rumour for host in self.hosts.values()]
        for host in self.hosts.values():
            beliefs = host.machine.beliefs
            for rumour in told:
                beliefs.hear(rumour, self._now(0))
            for name in ["", *names]:
                beliefs.gossip.forget(name)

    def join(self, name: str, told: Sequence[str]) -> None:
        """One more member; of the others only those ``told`` get the new roster from outside."""
        self.enrol(name)
        self.boot(name)
        for each in told:
            self._install(self.hosts[each], max(self.rosters))

    def kill(self, name: str) -> None:
        """The machine is gone, with all that waited on it."""
        host = self.hosts[name]
        host.running, host.paused = False, False
        host.inbox.clear()

    def pause(self, name: str) -> None:
        """Its processes stand still."""
        self.hosts[name].paused = self.hosts[name].running

    def resume(self, name: str) -> None:
        """They go on; first they read what has come, as the agent does."""
        host = self.hosts[name]
        if not host.paused:
            return
        host.paused, host.due_s = False, float("inf")
        waiting, host.inbox = host.inbox, []
        for event in waiting:
            self._feed(host, event)
        self._feed(host, Tick())

    def leave(self, name: str) -> None:
        """It ends on purpose."""
        host = self.hosts[name]
        if host.running and not host.paused:
            self._feed(host, Leave())
            host.running, host.left = False, True

    # Time

    def run(self, until_s: float, check: Callable[[World], None] | None = None) -> None:
        """Lets time pass, with a look at everything once a second."""
        look_at_s = self.now_s + 1.0
        while True:
            next_s = self._events[0][0] if self._events else until_s
            while check is not None and look_at_s <= min(next_s, until_s):
                self.now_s = look_at_s
                check(self)
                self.messages.clear()
                self.bytes.clear()
                look_at_s += 1.0
            if next_s > until_s or not self._events:
                self.now_s = until_s
                return
            self.now_s, _order, action = heapq.heappop(self._events)
            action()

    # What can be seen

    def running(self) -> list[Host]:
        """The hosts whose member should be believed alive."""
        return [host for host in self.hosts.values() if host.running]

    def disagreements(self) -> list[str]:
        """Where a view is not as the world is."""
        return [
            f"{host.name} believes {name} {state}"
            for host in self.running()
            for name, state in self.view(host).items()
            if self.hosts[name].running != (state is NodeState.ALIVE)
            or (not self.hosts[name].running and state is NodeState.SUSPECT)
        ]

    def view(self, host: Host) -> dict[str, NodeState]:
        """What a member believes of each other one that there is."""
        members = host.machine.beliefs.members
        names = self.rosters[max(self.rosters)]
        return {
            name: members[name].state if name in members else NodeState.DEAD
            for name in names
            if name != host.name
        }

    def knows(self, observer: str, name: str, state: NodeState) -> bool:
        """Whether a member believes that of another."""
        member = self.hosts[observer].machine.beliefs.members.get(name)
        return member is not None and member.state is state

    # How events are fed and instructions carried out

    def _now(self, skew_ms: int) -> Now:
        return Now(self.now_s, START_MS + skew_ms + self.now_s * 1000)

    def _install(self, host: Host, version: int) -> None:
        event = RosterInstalled(version=version, addresses=self.rosters[version])
        self._arrive(host.name, host.lives, event)

    def _arrive(self, name: str, life: int, event: Event) -> None:
        host = self.hosts[name]
        if not host.running or host.lives != life:
            return
        if host.paused:
            host.inbox.append(event)
        else:
            self._feed(host, event)

    def _feed(self, host: Host, event: Event) -> None:
        instructions, due_s = self._decide(host, event)
        for instruction in instructions:
            self._carry_out(host, instruction)
        if due_s < host.due_s:
            self._schedule(host, due_s)

    def _decide(self, host: Host, event: Event) -> tuple[list[Instruction], float]:
        """What the production machine says, and when it is due next; all else is the world's."""
        instructions = host.machine.handle(event, self._now(host.skew_ms))
        return instructions, host.machine.due_s()

    def _schedule(self, host: Host, due_s: float) -> None:
        host.due_s = max(due_s, self.now_s)
        self.at(host.due_s, lambda: self._tick(host, host.lives))

    def _tick(self, host: Host, life: int) -> None:
        current = self.hosts[host.name]
        if current is not host or not host.running or host.paused or self.now_s < host.due_s:
            return
        host.due_s = float("inf")
        if host.machine.due_s() <= self.now_s:
            self._feed(host, Tick())
        else:
            self._schedule(host, host.machine.due_s())

    def _carry_out(self, host: Host, instruction: Instruction) -> None:
        match instruction:
            case Send(to=to, datagram=datagram):
                self._send(host, to, datagram)
            case SendEntries(to=to, since=since, datagram=gossip):
                versions = range(since + 1, host.machine.roster_version + 1)
                entries = tuple(b"%0*d" % (ENTRY_BYTES, version) for version in versions)
                self._send(host, to, msgspec.structs.replace(gossip, entries=entries))
            case TakeEntries(entries=entries):
                version = int(entries[-1])
                self.at(self.now_s + 0.02, partial(self._catch_up, host, version))
            case FetchRoster(source=source):
                self.at(self.now_s + 0.02, lambda: self._fetch(host, source))
            case Changed(name=name, after=after, incarnation=incarnation):
                if incarnation < host.incarnations.get(name, 0):
                    raise Broken(f"{host.name} let the incarnation of {name} fall")
                host.incarnations[name] = incarnation
                self.sightings.append(Sighting(self.now_s, host.name, name, after))

    def _send(self, host: Host, to: str, datagram: AnyDatagram) -> None:
        self.messages[host.name] += 1
        self.bytes[host.name] += len(_encoder.encode(datagram))
        receiver = self.hosts.get(to)
        if receiver is None:
            return
        event = Received(source=host.name, datagram=datagram)
        for delay_s in self.network.delays_s(host.name, to):
            self.at(self.now_s + delay_s, partial(self._arrive, to, receiver.lives, event))

    def _fetch(self, host: Host, source: str) -> None:
        there = self.network.passes(host.name, source) and self.network.passes(source, host.name)
        other = self.hosts[source]
        if there and other.running and not other.paused:
            version = other.machine.roster_version
            self._catch_up(host, version)

    def _catch_up(self, host: Host, version: int) -> None:
        if version > host.machine.roster_version:
            self._install(host, version)
