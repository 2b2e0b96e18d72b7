"""``ssi up``: many hosts at once, each for itself until all are ready, then one roster for all."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ssi.deploy import cluster, door
from ssi.deploy.bundle import Bundler, Layer
from ssi.deploy.connection import Connection, connect
from ssi.deploy.crew import work_on
from ssi.deploy.enrolment import Candidate, enrol, newest
from ssi.deploy.errors import ForeignSystem, HostTwice, PortBlocked
from ssi.deploy.hostkey import Trust
from ssi.deploy.limit import Limit
from ssi.deploy.localagent import tell_local_agent
from ssi.deploy.messenger import tell_others
from ssi.deploy.progress import Journey, Outcome, Watcher
from ssi.deploy.remote import Probe, Ready, Remote
from ssi.deploy.target import Resolver, Target
from ssi.model.errors import SsiError
from ssi.model.node import Roster
from ssi.protocol.message import Done
from ssi.protocol.system import AllowClient, GetRoster, InstallRoster, RosterReply

PORT_TIMEOUT_S = 3.0


@dataclass(slots=True)
class _Host:
    """A host on its way."""

    journey: Journey
    connection: Connection | None = None
    remote: Remote | None = None
    candidate: Candidate | None = None
    roster: Roster | None = None
    """As the host's agent had it before."""

    changed: bool = False
    lacks: str = ""
    """What its command line has to do without, and why."""

    def hang_up(self) -> None:
        """The program there ends, and lets others deploy to the host."""
        if self.connection is not None:
            self.connection.close()


class Deployment:
    """Deploys to hosts.

    Args:
        resolver: Finds them.
        bundler: Makes what they get.
        trust: Decides on their keys.
        watcher: Is told of everything.
        agent_only: Leave out the faces.
        profile: Of the system's heartbeats from now on; None leaves it as it is.
        limit: Until when all of it may take.
    """

    def __init__(
        self,
        resolver: Resolver,
        bundler: Bundler,
        trust: Trust,
        watcher: Watcher,
        *,
        agent_only: bool,
        profile: str | None = None,
        limit: Limit = cluster.NO_LIMIT,
    ) -> None:
        self._resolver = resolver
        self._bundler = bundler
        self._trust = trust
        self._watcher = watcher
        self._agent_only = agent_only
        self._profile = profile
        self._limit = limit
        self._own = cluster.load_roster()
        self.untold: list[str] = []
        """Nodes that were not named, where none of them could be told of the new ones."""

    def run(self, names: Sequence[str]) -> list[Outcome]:
        """Deploys to the named hosts; one that fails does not keep the others back.

        Raises:
            KeyUnusable: Our own key is not secret; nothing was done.
        """
        key = cluster.public_key()
        hosts = [_Host(Journey(self._watcher, Outcome(name))) for name in names]
        try:
            self._each(hosts, self._prepare)
            roster = self._enrol(hosts)
            if roster is not None:
                self._each(_ready(hosts), lambda host: self._join(host, roster, key), last=True)
        finally:
            for host in hosts:
                host.hang_up()
        if roster is not None:
            tell_local_agent(roster, key)
            if self._own is not None and roster != self._own:
                named = {host.candidate.name for host in _ready(hosts) if host.candidate}
                self.untold = tell_others(roster, named, self._resolver, self._trust, self._limit)
        return [host.journey.outcome for host in hosts]

    def _each(
        self, hosts: Sequence[_Host], work: Callable[[_Host], None], *, last: bool = False
    ) -> None:
        """Works on hosts; those that fail, or are not through in time, are through with that."""

        def ended(host: _Host, error: SsiError | None) -> None:
            if error is not None or last:
                host.journey.ended(error)

        for host in work_on(hosts, work, ended, lambda: self._limit.left_s(kept=not last)):
            host.journey.give_up(self._limit, "ssi up --retry")
            host.hang_up()

    def _prepare(self, host: _Host) -> None:
        """The host's agent runs with our code, and its port can be reached."""
        journey = host.journey
        with journey.step("resolve"):
            target = self._resolver.resolve(journey.outcome.host)
        with journey.step("connect"):
            host.connection = connection = connect(target, self._trust)
        with journey.step("probe"):
            host.remote = remote = Remote(connection)
            self._check_belongs(target, remote.probe)
        with journey.step("bundle"):
            agent = self._bundler.agent_layer(remote.probe.platform)
            faces = None if self._agent_only else self._bundler.faces_layer(remote.probe.platform)
            host.lacks = faces.lacks if faces is not None else ""
        sent = self._send(journey, remote, [agent, faces] if faces is not None else [agent])
        with journey.step("start"):
            ready = remote.start(target.alias, agent, faces)
            host.changed = sent or ready.started
            host.roster = roster_of(remote)
        address = remote.probe.address if target.jumps else connection.peer_address
        with journey.step("check"):
            _check_port(target, address, ready.control_port)
        host.candidate = _candidate(target, address, remote.probe, ready)

    def _check_belongs(self, target: Target, probe: Probe) -> None:
        """Nothing is changed on a host that is a node already, of others or by another name."""
        own = self._own
        if own is None or not probe.system:
            return
        if probe.system != own.system:
            raise ForeignSystem(host=target.name)
        name = probe.deployed.name
        if name != target.alias and own.node(name) is not None:
            raise HostTwice(host=target.name, node=name)

    def _send(self, journey: Journey, remote: Remote, layers: Sequence[Layer]) -> bool:
        """The layers are on the host; whether any had to be sent."""
        with journey.step("reserve"):
            missing = remote.reserve(cluster.holder_of_lock(), layers)
        if missing:
            with journey.step("upload"):
                for layer in layers:
                    if layer.name in missing:
                        remote.put(layer, [each.name for each in layers])
        return bool(missing)

    def _enrol(self, hosts: Sequence[_Host]) -> Roster | None:
        """The roster with all hosts that are ready, kept here; None where none is.

        It is kept before any node gets it: after a crash in between, the next one must not give
        the same version to something else.
        """
        known = newest(self._own, (host.roster for host in _ready(hosts) if host.roster))
        roster = known or Roster(system=secrets.token_hex(16), version=0)
        for host in _ready(hosts):
            if host.roster is not None and host.roster.system != roster.system:
                host.candidate = None
                host.journey.ended(ForeignSystem(host=host.journey.outcome.host))
        candidates = [host.candidate for host in _ready(hosts) if host.candidate is not None]
        if not candidates:
            return None
        roster = enrol(roster, candidates, self._profile)
        cluster.save_roster(roster)
        return roster

    def _join(self, host: _Host, roster: Roster, key: str) -> None:
        """The host's agent knows the roster, and us."""
        assert host.remote is not None
        assert host.candidate is not None
        with host.journey.step("join"):
            requests = [
                InstallRoster(roster=roster),
                AllowClient(public_key=key, name=cluster.own_name()),
            ]
            for frame in host.remote.ask([door.question(each) for each in requests]):
                door.answer(frame, Done)
        node = roster.node(host.candidate.name)
        assert node is not None
        is_new = host.roster is None
        deed = "joined" if is_new else "updated" if host.changed else "unchanged"
        host.journey.outcome.done = f"{deed} as node {node.number} at {node.address}"
        if host.lacks:
            host.journey.outcome.done += f"; its shell does without: {host.lacks}"


def _ready(hosts: Iterable[_Host]) -> list[_Host]:
    return [host for host in hosts if host.candidate is not None and not host.journey.given_up]


def roster_of(remote: Remote) -> Roster | None:
    """As the host's agent has it; None where it has none."""
    (frame,) = remote.ask([door.question(GetRoster())])
    return door.answer(frame, RosterReply).roster


def _candidate(target: Target, address: str, probe: Probe, ready: Ready) -> Candidate:
    return Candidate(
        name=target.alias,
        public_key=ready.public_key,
        address=address,
        control_port=ready.control_port,
        bulk_port=ready.bulk_port,
        pulse_port=ready.pulse_port,
        files_port=ready.files_port,
        version=ready.version,
        signing_key=bytes.fromhex(ready.signing_key),
        python=".".join(map(str, probe.python)),
        ssh_target=target.spelled,
        user="root" if probe.is_root else target.user,
    )


def _check_port(target: Target, address: str, port: int) -> None:
    """A connection to the agent's port comes about.

    Raises:
        PortBlocked: It does not.
    """
    try:
        socket.create_connection((address, port), timeout=PORT_TIMEOUT_S).close()
    except OSError as exc:
        reason = "timed out" if isinstance(exc, TimeoutError) else (exc.strerror or str(exc))
        raise PortBlocked(
            host=target.name, address=address, port=port, reason=reason.lower()
        ) from exc
