"""A node: a machine of the system, as the roster names it and as its neighbours see it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class NodeState(StrEnum):
    """A member as the mesh sees it. Source: SWIM (Das, Gupta, Motivala 2002)."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    DEAD = "dead"
    LEFT = "left"


_Z85 = frozenset(
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
)


MAX_REVOKED = 1000
"""Keys that a roster remembers as revoked."""


def is_public_key(text: str) -> bool:
    """Whether a text can be a CURVE public key. Source: ZeroMQ RFC 32 (Z85)."""
    return len(text) == 40 and _Z85.issuperset(text)


class RosterEntry(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is fixed about a node: who it is and where it listens.

    Attributes:
        name: As the user named it on ``ssi up``; unique.
        number: From 1, unique for ever in this system: gpids are built on it.
        public_key: CURVE public key, Z85, 40 characters. The node is whoever holds its secret.
        address: Host name or IP address that the other nodes can connect to.
        control_port: TCP port of its control socket.
        bulk_port: TCP port of its bulk socket.
        python: Version of its Python, for instance ``3.13.5``.
        ssh_target: What ``ssh`` calls it, so that ``ssi down`` finds the way back.
        user: As whom its agent runs. Only root's is believed when it names another user.
        pulse_port: TCP port of its socket for heartbeats; 0 in rosters of older versions.
        files_port: TCP port of its file server; 0 where it has none.
        version: Of ssi, as it was deployed; empty in rosters of older versions.
        signing_key: Ed25519 public key by which it vouches for entries; empty likewise.
    """

    name: str
    number: int
    public_key: str
    address: str
    control_port: int
    bulk_port: int
    python: str = ""
    ssh_target: str = ""
    user: str = "root"
    pulse_port: int = 0
    files_port: int = 0
    version: str = ""
    signing_key: bytes = b""

    def fault(self) -> str:
        """What is wrong with it; empty where nothing is."""
        if not self.name or not self.address or set(self.address) & set(" /\t\n\0"):
            return f"it has no name or no address: {self.address!r}"
        if self.number < 1:
            return f"number {self.number}"
        if not is_public_key(self.public_key):
            return "its public key is none"
        if len(self.signing_key) not in {0, 32}:
            return "its signing key is none"
        ports = [self.control_port, self.bulk_port, self.pulse_port or self.control_port]
        ports.append(self.files_port or self.control_port)
        return "" if all(0 < port < 65536 for port in ports) else f"ports {ports}"


class RevokedKey(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A client's key that lets nobody in any more.

    Attributes:
        public_key: CURVE public key, Z85.
        user: Whose word it has no more; empty for anybody's.
        name: Of the machine that brought it, as ``ada@laptop``; empty where nobody knows.
        by: Who revoked it and where, as ``ada@n1``.
        at_ms: When that was, by the wall clock there.
    """

    public_key: str
    user: str = ""
    name: str = ""
    by: str = ""
    at_ms: int = 0

    @property
    def order(self) -> tuple[str, str]:
        """What it is about: there is one for each key and user."""
        return self.public_key, self.user


class Roster(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """All nodes of the system, versioned: of two rosters the one of higher version holds.

    Attributes:
        system: A random name of the system, so that two systems never mix.
        version: Counts changes, from 1.
        nodes: Ordered by number.
        next_number: The number that the next new node gets; numbers are never used again.
        profile: How far apart its nodes are, ``lan`` or ``wan``: which times its heartbeats keep.
        revoked: Keys of clients that are not let in, in their order; it only grows.
    """

    system: str
    version: int
    nodes: tuple[RosterEntry, ...] = ()
    next_number: int = 1
    profile: str = "lan"
    revoked: tuple[RevokedKey, ...] = ()

    def fault(self) -> str:
        """What is wrong with it, so that it must not be installed; empty where nothing is."""
        for entry in self.nodes:
            if fault := entry.fault():
                return f"node {entry.name!r}: {fault}"
        for what, values in (
            ("names", [entry.name for entry in self.nodes]),
            ("numbers", [entry.number for entry in self.nodes]),
            ("keys", [entry.public_key for entry in self.nodes]),
        ):
            if len(set(values)) != len(values):
                return f"two nodes have one of their {what} in common"
        if self.nodes and self.next_number <= max(entry.number for entry in self.nodes):
            return f"next_number {self.next_number} is in use"
        orders = [each.order for each in self.revoked]
        if orders != sorted(set(orders)) or len(orders) > MAX_REVOKED:
            return "its revoked keys are out of order, or too many"
        return "" if self.version >= 1 else f"version {self.version}"

    def has_revoked(self, public_key: str, user: str) -> bool:
        """Whether that key has that user's word no more."""
        return any(
            each.public_key == public_key and each.user in {"", user} for each in self.revoked
        )

    def node(self, name: str) -> RosterEntry | None:
        """The entry of that name, if there is one."""
        return next((entry for entry in self.nodes if entry.name == name), None)

    def node_by_key(self, public_key: str) -> RosterEntry | None:
        """The entry whose public key this is, if there is one."""
        return next((entry for entry in self.nodes if entry.public_key == public_key), None)


class GpuMetrics(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One GPU: its name, use in percent, memory used and total in bytes."""

    name: str
    utilisation_percent: float
    memory_used_bytes: int
    memory_total_bytes: int


class NodeMetrics(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How a machine fares now.

    Attributes:
        taken_at_s: Wall-clock time of the reading, on that machine.
        load: Run-queue averages over 1, 5 and 15 minutes.
        jobs: How many jobs of ssi run there.
        disk_total_bytes: Of the file system that holds ``/``; free as for ordinary users.
    """

    taken_at_s: float
    uptime_s: float
    cores: int
    load: tuple[float, float, float]
    memory_total_bytes: int
    memory_available_bytes: int
    swap_total_bytes: int
    swap_free_bytes: int
    disk_total_bytes: int
    disk_free_bytes: int
    processes: int = 0
    jobs: int = 0
    gpus: tuple[GpuMetrics, ...] = ()
    kernel: str = ""
    arch: str = ""
    criu: str = ""
    lacks: tuple[str, ...] = ()
    """Verbs that this node cannot serve, each with its reason: ``migrate: no criu``."""
    cordoned: bool = False
    """Nothing is placed there unless it is named."""


class NodeRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A node as one observer sees it now.

    Attributes:
        age_s: Seconds since the observer last heard of it; infinity if never.
        rtt_ms: Round-trip time of the last probe; None before the first, 0 for itself.
        clock_offset_ms: Its wall clock minus the observer's, as the last probe measured it.
        problem: Why it cannot be reached, where the observer knows more than silence.
        version: Version of ssi that it runs.
        clock_error_ms: ``clock_offset_ms`` is right to so much, on either side.
        suspicion_s: Where it is suspect, in how many seconds it is believed dead unless it refutes.
        accusers: Where it is suspect, how many have missed it.
        speaks: The version of the protocol that it was heard to speak, where that is another than
            the observer's; it is then believed dead, for nothing of it is understood.
    """

    name: str
    number: int
    address: str
    state: NodeState
    age_s: float
    incarnation: int = 0
    rtt_ms: float | None = None
    clock_offset_ms: float | None = None
    metrics: NodeMetrics | None = None
    problem: str = ""
    version: str = ""
    clock_error_ms: float | None = None
    suspicion_s: float | None = None
    accusers: int = 0
    speaks: int | None = None


class MeshEvent(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Something that happened in the mesh, as whoever found out first told it.

    Attributes:
        stamp: On the hybrid clock of the mesh, which never goes back; events are ordered by it.
        at_s: About which wall-clock time that was.
        node: Whom it is about.
        kind: ``joined``, ``suspected``, ``refuted``, ``died`` or ``left``; of a client ``revoked``.
        incarnation: Of the node.
        by: Who found out; empty for a node that joined.
    """

    stamp: int
    at_s: float
    node: str
    kind: str
    incarnation: int
    by: str = ""
