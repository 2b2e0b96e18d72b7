"""The heartbeat thread: feeds the membership, carries out what it says, and tells what it sees."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from typing import Final, assert_never

import msgspec
import zmq

from nodeagent.pulse.route import Routes
from ssi.mesh.event import (
    Changed,
    Event,
    FetchRoster,
    Instruction,
    Leave,
    Moved,
    Now,
    Received,
    RosterInstalled,
    Send,
    SendEntries,
    TakeEntries,
    Tick,
)
from ssi.mesh.member import Member
from ssi.mesh.membership import Membership
from ssi.mesh.settings import LAN, PROFILES
from ssi.model.node import Roster
from ssi.protocol.codec import BadMessage, VersionMismatch, decode_datagram, encode_datagram
from ssi.protocol.pulse import Ack, Rumour
from ssi.transport.gate import Gate, make_context
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint

_log = logging.getLogger(__name__)

LONGEST_REST_S: Final = 1.0
"""The thread looks around at least so often."""

SWEEP_S: Final = 10.0

FAREWELL_MS: Final = 300
"""How long what was said last may take to get out."""

Told = FetchRoster | TakeEntries | Moved

Tell = Callable[[Told], None]
"""Takes what is for the agent's loop; called on the heartbeat thread, must not block."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is believed at one moment: the members, and what each last said of how it fares.

    Attributes:
        speaks: Other versions of the protocol than ours, by who was heard to speak them last.
    """

    members: dict[str, Member]
    fares: dict[str, bytes]
    speaks: dict[str, int]
    at_s: float


class Heart:
    """Runs a membership on a thread of its own.

    Args:
        name: Of this node; empty for an observer.
        incarnation: Higher than at any earlier start.
        key: Of this agent.
        knows: Whether a node or a client has that key.
        entries: The signed entries of the roster that are newer than a version; any thread.
        tell: See :data:`Tell`.
    """

    def __init__(
        self,
        name: str,
        incarnation: int,
        key: KeyPair,
        *,
        knows: Callable[[str], bool],
        entries: Callable[[int], tuple[bytes, ...]],
        tell: Tell,
    ) -> None:
        # Choices that spread load and guard nothing.
        random = Random()  # noqa: S311
        self._machine = Membership(name, incarnation if name else 0, random)
        self._knows = knows
        self._revoked: frozenset[str] = frozenset()
        self._entries = entries
        self._tell = tell
        self._context: zmq.Context[zmq.Socket[bytes]] = make_context()
        self._gate = Gate(self._context, knows) if name else None
        self._routes = Routes(self._context, key, lambda: self._machine.probes_all)
        self._lock = threading.Lock()
        self._posted: deque[Event] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._routes.watch(self._wake)
        self._endpoints: dict[str, Endpoint] = {}
        self._names: dict[str, str] = {}
        self._fares: dict[str, bytes] = {}
        self._speaks: dict[str, int] = {}
        self._sweep_at_s = 0.0
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="heartbeats", daemon=True)
        self.fares = b""
        """What acks tell of how this node fares; set by the agent's loop."""
        self.failed = False
        """Whether the thread broke; the agent must not go on without it."""

    def bind(self, address: str, port: int) -> int:
        """Listens for the others; the port, a free one for 0.

        Raises:
            PortTaken: Somebody else listens there.
        """
        return self._routes.bind(address, port)

    def start(self) -> None:
        """Begins to beat."""
        self._thread.start()

    def install(self, roster: Roster) -> None:
        """Follows a roster, soon; any thread."""
        endpoints = {
            entry.name: Endpoint(
                node=entry.name,
                address=entry.address,
                port=entry.pulse_port,
                public_key=entry.public_key,
            )
            for entry in roster.nodes
            if entry.pulse_port
        }
        names = {entry.public_key: entry.name for entry in roster.nodes}
        with self._lock:
            self._endpoints, self._names = endpoints, names
            self._revoked = frozenset(each.public_key for each in roster.revoked)
            self._fares = {name: each for name, each in self._fares.items() if name in endpoints}
            self._speaks = {name: each for name, each in self._speaks.items() if name in endpoints}
        addresses = {entry.name: entry.address for entry in roster.nodes}
        self._post(
            RosterInstalled(
                version=roster.version,
                addresses=addresses,
                settings=PROFILES.get(roster.profile, LAN),
            )
        )

    def look(self) -> Look:
        """What is believed now; any thread."""
        with self._lock:
            members = {
                name: replace(member) for name, member in self._machine.beliefs.members.items()
            }
            return Look(members, dict(self._fares), dict(self._speaks), time.monotonic())

    def member(self, name: str) -> Member | None:
        """What is believed of one member now; any thread."""
        with self._lock:
            member = self._machine.beliefs.members.get(name)
            return replace(member) if member is not None else None

    def speaks(self, name: str) -> int | None:
        """The version that a node spoke last, where that is another than ours; any thread."""
        return self._speaks.get(name)

    @property
    def incarnation(self) -> int:
        """Of this node, which rises when it refutes."""
        return self._machine.beliefs.me.incarnation

    def happenings(self) -> list[Rumour]:
        """What happened in the mesh, in its one order; any thread."""
        with self._lock:
            return self._machine.beliefs.chronicle.entries()

    def stop(self, *, leaves: bool) -> None:
        """Ends the thread; where the node leaves for good, it says so first."""
        if leaves:
            self._post(Leave())
        self._ending = True
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)
        self._routes.close(FAREWELL_MS if leaves else 0)
        if self._gate is not None:
            self._gate.close()
        self._context.term()  # waits for what lingers, and for no longer
        os.close(self._wake)

    def _post(self, event: Event) -> None:
        self._posted.append(event)
        os.eventfd_write(self._wake, 1)

    # On the thread

    def _run(self) -> None:
        try:
            while not self._ending:
                self._beat()
            self._handle_posted()
        except Exception:
            _log.exception("event=heartbeats-broke")
            self.failed = True

    def _beat(self) -> None:
        due_s = self._machine.due_s()
        rest_s = min(max(due_s - time.monotonic(), 0.0), LONGEST_REST_S)
        # All that came goes first: after a pause, the answers that are judged as missing are here.
        for source, routing_id, payload in self._routes.receive(rest_s):
            self._take(source, routing_id, payload)
        self._handle_posted()
        now = _now()
        if due_s <= now.elapsed_s:
            self._handle(Tick(), now)
        if self._sweep_at_s <= now.elapsed_s:
            self._sweep_at_s = now.elapsed_s + SWEEP_S
            self._routes.sweep()

    def _handle_posted(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        while self._posted:
            self._handle(self._posted.popleft(), _now())

    def _take(self, source: str, routing_id: bytes, payload: bytes) -> None:
        if source in self._revoked and not self._knows(source):
            return  # its connection is from before, and it looks on no more
        if routing_id:  # it is its key that tells who this is
            source = self._names.get(source, f"?{source}")
            self._routes.came_from(source, routing_id)
        try:
            datagram = decode_datagram(payload)
        except VersionMismatch as exc:
            self._misunderstand(source, exc.theirs)
            return
        except BadMessage as exc:
            _log.warning("event=bad-datagram source=%s reason=%s", source, exc.reason)
            return
        if source in self._speaks:
            with self._lock:
                del self._speaks[source]
        if isinstance(datagram, Ack) and datagram.fares:
            with self._lock:  # a roster that is installed now goes through all of them
                self._fares[source] = datagram.fares
        self._handle(Received(source=source, datagram=datagram), _now())

    def _misunderstand(self, source: str, version: int) -> None:
        """Keeps which version a node speaks: it is believed dead, and is not silent."""
        if source in self._endpoints and self._speaks.get(source) != version:
            _log.warning("event=version-mismatch source=%s theirs=%d", source, version)
            with self._lock:
                self._speaks[source] = version

    def _handle(self, event: Event, now: Now) -> None:
        with self._lock:
            instructions = self._machine.handle(event, now)
        for instruction in instructions:
            self._carry_out(instruction)

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case Send(to=to, datagram=datagram):
                if isinstance(datagram, Ack) and datagram.wall_ms:
                    datagram = msgspec.structs.replace(datagram, fares=self.fares)
                self._routes.send(to, self._endpoints.get(to), encode_datagram(datagram))
            case SendEntries(to=to, since=since, datagram=gossip):
                if entries := self._entries(since):
                    gossip = msgspec.structs.replace(gossip, entries=entries)
                    self._routes.send(to, self._endpoints.get(to), encode_datagram(gossip))
            case FetchRoster() | TakeEntries():
                self._tell(instruction)
            case Moved(name=name, address=address):
                known = self._endpoints.get(name)
                if known is not None:
                    self._endpoints[name] = Endpoint(
                        node=name, address=address, port=known.port, public_key=known.public_key
                    )
                self._tell(instruction)
            case Changed(name=name, before=before, after=after, silent_s=silent_s):
                _log.info(
                    "event=member node=%s before=%s after=%s incarnation=%d silent_s=%.1f",
                    name, before, after, instruction.incarnation, silent_s,
                )  # fmt: skip
            case _:
                assert_never(instruction)


def _now() -> Now:
    return Now(time.monotonic(), time.time() * 1000)
