"""Membership for the rest of the agent: the roster, and what the heartbeats have found out."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from nodeagent.dispatch import Audience, Caller, Dispatcher
from nodeagent.peers import Peers
from nodeagent.pulse.heart import Heart, Look, Told
from nodeagent.register import Register
from ssi.mesh.chronicle import kind_of
from ssi.mesh.event import FetchRoster, Moved, TakeEntries
from ssi.mesh.hybridclock import COUNTER_BITS, wall_ms_of
from ssi.model.client import fingerprint
from ssi.model.errors import SsiError
from ssi.model.node import (
    MeshEvent,
    NodeMetrics,
    NodeRow,
    NodeState,
    RevokedKey,
    Roster,
    RosterEntry,
)
from ssi.protocol.codec import BadMessage, VersionMismatch, decode_fares, encode_fares
from ssi.protocol.envelope import PROTOCOL_VERSION
from ssi.protocol.message import Done
from ssi.protocol.pulse import Fares, Rumour
from ssi.protocol.refusals import NotPermitted
from ssi.protocol.system import (
    EventList,
    GetRoster,
    InstallRoster,
    ListEvents,
    ListNodes,
    NodeList,
    RosterReply,
)
from ssi.transport.keys import KeyPair

_log = logging.getLogger(__name__)

FIRST_LOOK_S = 1.0
"""How long after its start an agent lets those wait who ask for the nodes."""

FARES_S = 1.0
"""Between two looks at how this node fares, for its acks."""


class HeartbeatsBroke(RuntimeError):
    """The heartbeat thread is gone, and with it the agent's place in the mesh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this agent is: its node's name (empty in client mode), start, version and key.

    Attributes:
        client: In client mode, what nodes call this machine.
    """

    node: str
    incarnation: int
    version: str
    key: KeyPair
    client: str = ""


class MeshService:
    """The roster, :class:`ListNodes` and :class:`ListEvents`.

    Args:
        identity: Of this agent.
        register: Keeps the roster.
        peers: Is told of it.
        metrics: How this node fares; None in client mode.
        read_metrics: The same, read now; None in client mode.
        tasks: The agent's.
    """

    def __init__(
        self,
        identity: Identity,
        register: Register,
        peers: Peers,
        metrics: Callable[[], NodeMetrics] | None,
        read_metrics: Callable[[], Awaitable[NodeMetrics]] | None,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._identity = identity
        self._register = register
        self._peers = peers
        self._metrics = metrics
        self._read_metrics = read_metrics
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._moved: dict[str, str] = {}
        self._fetching_roster = False
        self._started_at_s = time.monotonic()
        self.heart = Heart(
            identity.node,
            identity.incarnation,
            identity.key,
            knows=register.knows,
            entries=register.signed_since,
            tell=self._hear,
        )
        register.on_change(self._follow)
        if register.roster is not None:
            self._follow(register.roster)

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to the mesh."""
        dispatcher.serve(GetRoster, self._get_roster)
        dispatcher.serve(InstallRoster, self._install_roster, Audience.ROOT)
        dispatcher.serve(ListNodes, self._list_nodes)
        dispatcher.serve(ListEvents, self._list_events)

    def silent_s(self, node: str) -> float | None:
        """For how long a node believed dead has been silent; None for one that is not dead.

        Nor is one that speaks another version: what it is asked tells that by its answer.
        """
        member = self.heart.member(node)
        if member is None or member.state is not NodeState.DEAD:
            return None
        if self._speaks(node, self.heart.speaks(node)) is not None:
            return None
        return time.monotonic() - member.heard_at_s

    def _speaks(self, node: str, beats: int | None) -> int | None:
        """Which other version a node speaks: in its heartbeats, or in answers where none come."""
        return self._peers.speaks(node) if beats is None else beats

    async def run(self) -> None:
        """Lets the heart beat until cancelled.

        Raises:
            HeartbeatsBroke: It stopped by itself.
        """
        self.heart.start()
        while not self.heart.failed:
            if self._read_metrics is not None:
                fares = Fares(self._identity.version, await self._read_metrics())
                self.heart.fares = encode_fares(fares)
            self._peers.sweep(time.monotonic())
            await asyncio.sleep(FARES_S)
        raise HeartbeatsBroke("see the log")

    # What the heartbeat thread tells

    def _hear(self, instruction: Told) -> None:
        try:
            self._loop.call_soon_threadsafe(self._perform, instruction)
        except RuntimeError:  # the loop is closed: the agent ends
            _log.debug("event=untold instruction=%s", instruction)

    def _perform(self, instruction: Told) -> None:
        match instruction:
            case FetchRoster(source=source):
                if not self._fetching_roster:
                    self._fetching_roster = True
                    self._tasks.create_task(self._fetch_roster(source))
            case TakeEntries(source=source, entries=entries):
                self._take_entries(source, entries)
            case Moved(name=name, address=address):
                self._moved[name] = address
                if self._register.roster is not None:
                    self._peers.follow(self._as_moved(self._register.roster))

    async def _fetch_roster(self, name: str) -> None:
        try:
            reply = await self._peers.ask(name, GetRoster(), timeout_s=5.0)
            if isinstance(reply, RosterReply) and reply.roster is not None:
                self._register.install_of(name, reply.roster)
        except SsiError as exc:
            _log.warning("event=roster-not-fetched node=%s reason=%s", name, exc.what())
        finally:
            self._fetching_roster = False

    def _take_entries(self, source: str, entries: tuple[bytes, ...]) -> None:
        try:
            taken = self._register.install_signed(entries)
            _log.info("event=entries source=%s count=%d taken=%s", source, len(entries), taken)
        except SsiError as exc:
            _log.warning("event=entries-refused source=%s reason=%s", source, exc.what())

    # The roster

    def _follow(self, roster: Roster) -> None:
        self._moved.clear()  # a newer roster knows better
        self._peers.follow(roster)
        self.heart.install(roster)

    def _as_moved(self, roster: Roster) -> Roster:
        nodes = tuple(
            msgspec.structs.replace(entry, address=self._moved.get(entry.name, entry.address))
            for entry in roster.nodes
        )
        return msgspec.structs.replace(roster, nodes=nodes)

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

    # What is shown

    async def _list_events(self, _caller: Caller, body: ListEvents) -> EventList:
        told = [rumour for rumour in self.heart.happenings() if rumour.at > body.since]
        roster = self._register.roster
        revoked = map(_event_of_key, roster.revoked if roster is not None else ())
        rows = [*map(_event_of, told), *(each for each in revoked if each.stamp > body.since)]
        return EventList(rows=tuple(sorted(rows, key=lambda row: row.stamp)))

    async def _list_nodes(self, _caller: Caller, _body: ListNodes) -> NodeList:
        await self._first_look()
        roster = self._register.roster
        look = self.heart.look()
        entries = roster.nodes if roster is not None else ()
        rows = [
            self._own_row(entry) if entry.name == self._identity.node else self._row(entry, look)
            for entry in entries
        ]
        identity = self._identity
        return NodeList(observer=identity.node, rows=tuple(rows), client=identity.client)

    async def _first_look(self) -> None:
        """Waits for an agent that has just started to hear of the others, or to miss them."""
        give_up_at_s = self._started_at_s + FIRST_LOOK_S
        while time.monotonic() < give_up_at_s:
            roster, members = self._register.roster, self.heart.look().members
            names = (
                [e.name for e in roster.nodes if e.name != self._identity.node] if roster else []
            )
            if all(
                (name in members and members[name].ever_heard) or self._peers.problem(name)
                for name in names
            ):
                return
            await asyncio.sleep(0.02)

    def _own_row(self, entry: RosterEntry) -> NodeRow:
        return NodeRow(
            name=entry.name,
            number=entry.number,
            address=entry.address,
            state=NodeState.ALIVE,
            age_s=0.0,
            incarnation=self.heart.incarnation,
            rtt_ms=0.0,
            clock_offset_ms=0.0,
            clock_error_ms=0.0,
            metrics=self._metrics() if self._metrics is not None else None,
            version=self._identity.version,
        )

    def _row(self, entry: RosterEntry, look: Look) -> NodeRow:
        member = look.members.get(entry.name)
        if member is None:  # the roster is newer than the last beat
            return NodeRow(
                name=entry.name,
                number=entry.number,
                address=entry.address,
                state=NodeState.ALIVE,
                age_s=math.inf,
            )
        fares = _fares_of(look.fares.get(entry.name, b""))
        speaks = self._speaks(entry.name, look.speaks.get(entry.name))
        offset_s, rtt_s, suspicion = member.clock_offset_s, member.rtt_s, member.suspicion
        return NodeRow(
            name=entry.name,
            number=entry.number,
            address=self._moved.get(entry.name, entry.address),
            state=member.state,
            age_s=look.at_s - member.heard_at_s if member.ever_heard else math.inf,
            incarnation=member.incarnation,
            rtt_ms=None if rtt_s is None else rtt_s * 1000,
            clock_offset_ms=None if offset_s is None else offset_s * 1000,
            clock_error_ms=None if rtt_s is None else rtt_s * 500,
            metrics=fares.metrics,
            problem=self._peers.problem(entry.name) or _mismatch(entry.name, speaks),
            speaks=speaks,
            version=fares.version or entry.version,
            suspicion_s=None if suspicion is None else max(suspicion.ends_s - look.at_s, 0.0),
            accusers=0 if suspicion is None else len(suspicion.accusers),
        )


def _mismatch(node: str, speaks: int | None) -> str:
    """What a person is told of a node that speaks another version; empty where it does not."""
    if speaks is None:
        return ""
    return VersionMismatch(ours=PROTOCOL_VERSION, theirs=speaks, node=node).what()


def _fares_of(encoded: bytes) -> Fares:
    if not encoded:
        return Fares("")
    try:
        return decode_fares(encoded)
    except BadMessage as exc:  # a node of another version; its heartbeats are read all the same
        _log.debug("event=fares-unreadable reason=%s", exc.reason)
        return Fares("")


def _event_of(rumour: Rumour) -> MeshEvent:
    return MeshEvent(
        stamp=rumour.at,
        at_s=wall_ms_of(rumour.at) / 1000,
        node=rumour.name,
        kind=kind_of(rumour),
        incarnation=rumour.incarnation,
        by=rumour.by,
    )


def _event_of_key(key: RevokedKey) -> MeshEvent:
    """It is in the roster, so that all nodes tell the same of it."""
    return MeshEvent(
        stamp=key.at_ms << COUNTER_BITS,
        at_s=key.at_ms / 1000,
        node=key.name or fingerprint(key.public_key),
        kind="revoked",
        incarnation=key.at_ms,
        by=key.by,
    )
