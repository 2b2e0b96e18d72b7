"""Membership at work: probes the others, answers their probes, and spreads the roster."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from nodeagent.dispatch import Audience, Caller, Dispatcher
from nodeagent.peers import Peers
from nodeagent.register import Register
from ssi.mesh.membership import (
    Changed,
    Event,
    Heard,
    MemberAdded,
    MemberRemoved,
    Membership,
    Probe,
    Tick,
)
from ssi.model.errors import SsiError
from ssi.model.node import NodeMetrics, NodeRow, NodeState, Roster
from ssi.protocol.messages import (
    Done,
    GetRoster,
    InstallRoster,
    ListNodes,
    NodeList,
    Ping,
    Pong,
    RosterReply,
)
from ssi.protocol.refusals import NotPermitted

_log = logging.getLogger(__name__)

TICKS_PER_PROBE = 4

FIRST_LOOK_S = 1.0
"""How long after its start an agent lets those wait who ask for the nodes."""


@dataclass(slots=True)
class _Sighting:
    """What the last probe of a member told."""

    rtt_ms: float | None = None
    clock_offset_ms: float | None = None
    metrics: NodeMetrics | None = None
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this agent is: its node's name (empty in client mode), its start, its version."""

    node: str
    incarnation: int
    version: str


class MeshService:
    """Probes, pongs, the roster, and :class:`ListNodes`."""

    def __init__(
        self,
        identity: Identity,
        register: Register,
        peers: Peers,
        metrics: Callable[[], NodeMetrics] | None,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.membership = Membership()
        self._identity = identity
        self._register = register
        self._peers = peers
        self._metrics = metrics
        self._tasks = tasks
        self._sightings: dict[str, _Sighting] = {}
        self._fetching_roster = False
        self._started_at_s = time.monotonic()
        register.on_change(self._follow)
        if register.roster is not None:
            self._follow(register.roster)

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to the mesh."""
        dispatcher.serve(Ping, self._pong)
        dispatcher.serve(GetRoster, self._get_roster)
        dispatcher.serve(InstallRoster, self._install_roster, Audience.ROOT)
        dispatcher.serve(ListNodes, self._list_nodes)

    def silent_s(self, node: str) -> float | None:
        """For how long a node believed dead has been silent; None for one that is not dead."""
        member = self.membership.members.get(node)
        if member is None or member.state is not NodeState.DEAD:
            return None
        return time.monotonic() - member.heard_at_s

    async def run(self) -> None:
        """Probes until cancelled."""
        pause_s = self.membership.settings.probe_interval_s / TICKS_PER_PROBE
        while True:
            self._tell(Tick())
            await asyncio.sleep(pause_s)

    def _tell(self, event: Event) -> None:
        for instruction in self.membership.handle(event, time.monotonic()):
            match instruction:
                case Probe(name=name):
                    self._tasks.create_task(self._probe(name))
                case Changed(name=name, before=before, after=after, silent_s=silent_s):
                    _log.info(
                        "event=member node=%s before=%s after=%s silent_s=%.1f",
                        name, before, after, silent_s,
                    )  # fmt: skip

    async def _probe(self, name: str) -> None:
        roster = self._register.roster
        sent_s, sent_at = time.time(), time.monotonic()
        ping = Ping(
            node=self._identity.node,
            incarnation=self._identity.incarnation,
            roster_version=roster.version if roster is not None else 0,
            sent_at_s=sent_s,
        )
        try:
            timeout_s = self.membership.settings.dead_after_s
            pong = await self._peers.ask(name, ping, timeout_s=timeout_s)
        except SsiError as exc:
            _log.debug("event=probe-failed node=%s reason=%s", name, exc.what())
            return
        if isinstance(pong, Pong):
            self._take_pong(name, pong, sent_s, (time.monotonic() - sent_at) * 1000)

    def _take_pong(self, name: str, pong: Pong, sent_s: float, elapsed_ms: float) -> None:
        # As NTP has it (RFC 5905, section 8): two stamps of each clock give offset and delay.
        held_ms = (pong.replied_at_s - pong.received_at_s) * 1000
        received_s = sent_s + elapsed_ms / 1000
        offset_s = ((pong.received_at_s - sent_s) + (pong.replied_at_s - received_s)) / 2
        self._sightings[name] = _Sighting(
            rtt_ms=max(elapsed_ms - held_ms, 0.0),
            clock_offset_ms=offset_s * 1000,
            metrics=pong.metrics,
            version=pong.version,
        )
        self._tell(Heard(name=name, incarnation=pong.incarnation))
        self._compare_roster(name, pong.roster_version)

    def _compare_roster(self, name: str, version: int) -> None:
        ours = self._register.roster
        if version > (ours.version if ours is not None else 0) and not self._fetching_roster:
            self._fetching_roster = True
            self._tasks.create_task(self._fetch_roster(name))

    async def _fetch_roster(self, name: str) -> None:
        try:
            reply = await self._peers.ask(name, GetRoster(), timeout_s=5.0)
            if isinstance(reply, RosterReply) and reply.roster is not None:
                self._register.install(reply.roster)
        except SsiError as exc:
            _log.warning("event=roster-not-fetched node=%s reason=%s", name, exc.what())
        finally:
            self._fetching_roster = False

    def _follow(self, roster: Roster) -> None:
        self._peers.follow(roster)
        names = set(self._peers.names())
        for gone in set(self.membership.members) - names:
            self._sightings.pop(gone, None)
            self._tell(MemberRemoved(name=gone))
        for name in names:
            self._tell(MemberAdded(name=name))

    async def _pong(self, caller: Caller, ping: Ping) -> Pong:
        received_at_s = time.time()
        if caller.node:  # whoever its key says; a client is no member and has no word in this
            self._tell(Heard(name=caller.node, incarnation=ping.incarnation))
            self._compare_roster(caller.node, ping.roster_version)
        roster = self._register.roster
        return Pong(
            node=self._identity.node,
            incarnation=self._identity.incarnation,
            roster_version=roster.version if roster is not None else 0,
            received_at_s=received_at_s,
            replied_at_s=time.time(),
            version=self._identity.version,
            metrics=self._metrics() if self._metrics is not None else None,
        )

    async def _get_roster(self, _caller: Caller, _body: GetRoster) -> RosterReply:
        return RosterReply(roster=self._register.roster)

    async def _install_roster(self, caller: Caller, body: InstallRoster) -> Done:
        mine = body.roster.node(self._identity.node)
        if self._identity.node and mine is None and body.roster.nodes:
            raise NotPermitted(
                node=self._identity.node,
                user=caller.user,
                deed="install a roster without this node",
            )
        self._register.install(body.roster)
        return Done()

    async def _list_nodes(self, _caller: Caller, _body: ListNodes) -> NodeList:
        await self._first_look()
        roster = self._register.roster
        now_s = time.monotonic()
        entries = roster.nodes if roster is not None else ()
        rows = [
            self._own_row(entry.number, entry.address)
            if entry.name == self._identity.node
            else self._row(entry.name, entry.number, entry.address, now_s)
            for entry in entries
        ]
        return NodeList(observer=self._identity.node, rows=tuple(rows))

    async def _first_look(self) -> None:
        """Waits for an agent that has just started to hear of the others, or to miss them."""
        give_up_at_s = self._started_at_s + FIRST_LOOK_S
        while time.monotonic() < give_up_at_s:
            members = self.membership.members.values()
            if all(member.ever_heard or self._peers.problem(member.name) for member in members):
                return
            await asyncio.sleep(0.02)

    def _own_row(self, number: int, address: str) -> NodeRow:
        return NodeRow(
            name=self._identity.node,
            number=number,
            address=address,
            state=NodeState.ALIVE,
            age_s=0.0,
            incarnation=self._identity.incarnation,
            rtt_ms=0.0,
            clock_offset_ms=0.0,
            metrics=self._metrics() if self._metrics is not None else None,
            version=self._identity.version,
        )

    def _row(self, name: str, number: int, address: str, now_s: float) -> NodeRow:
        member = self.membership.members[name]
        sighting = self._sightings.get(name) or _Sighting()
        return NodeRow(
            name=name,
            number=number,
            address=address,
            state=member.state,
            age_s=now_s - member.heard_at_s if member.ever_heard else math.inf,
            incarnation=member.incarnation,
            rtt_ms=sighting.rtt_ms,
            clock_offset_ms=sighting.clock_offset_ms,
            metrics=sighting.metrics,
            problem=self._peers.problem(name),
            version=sighting.version,
        )
