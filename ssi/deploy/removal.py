"""``ssi down``: hosts are no nodes any more, and nothing of ssi is left on them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ssi.deploy import cluster, door
from ssi.deploy.connection import Connection, connect
from ssi.deploy.crew import work_on
from ssi.deploy.deployment import roster_of
from ssi.deploy.enrolment import dismiss, newest
from ssi.deploy.errors import JobsRunning, LeftBehind
from ssi.deploy.hostkey import Trust
from ssi.deploy.limit import Limit
from ssi.deploy.localagent import end_local_agent, tell_local_agent
from ssi.deploy.messenger import tell_others
from ssi.deploy.progress import Journey, Outcome, Watcher
from ssi.deploy.remote import Remote
from ssi.deploy.target import Resolver
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState
from ssi.model.node import Roster, RosterEntry
from ssi.model.nodeset import fold
from ssi.protocol.codec import VersionMismatch
from ssi.protocol.jobs import SignalProcess
from ssi.protocol.message import Done
from ssi.protocol.refusals import NoSuchProcess
from ssi.protocol.system import JobList, ListJobs


@dataclass(slots=True)
class _Host:
    """A host on its way out."""

    name: str
    journey: Journey
    connection: Connection | None = None
    remote: Remote | None = None
    roster: Roster | None = None
    """As the host's agent has it."""

    jobs: list[JobRow] = field(default_factory=list)
    shims: int = 0
    was_there: bool = False

    @property
    def reached(self) -> bool:
        """Whether it could be looked at."""
        return self.journey.outcome.error is None

    @property
    def is_away(self) -> bool:
        """Whether it failed, and not only because the time was over while it was at work."""
        return not self.reached and (not self.journey.given_up or self.connection is None)

    @property
    def job_count(self) -> int:
        """Jobs that would end; without an agent to ask, each shim counts."""
        return max(len(self.jobs), self.shims)


class Removal:
    """Takes nodes down.

    Args:
        resolver: Finds them.
        trust: Decides on their keys.
        watcher: Is told of everything.
        force: End jobs that run.
        forget: Drop hosts that cannot be reached from the roster.
        limit: Until when all of it may take.
    """

    def __init__(
        self,
        resolver: Resolver,
        trust: Trust,
        watcher: Watcher,
        *,
        force: bool,
        forget: bool,
        limit: Limit = cluster.NO_LIMIT,
    ) -> None:
        self._resolver = resolver
        self._trust = trust
        self._watcher = watcher
        self._force = force
        self._forget = forget
        self._limit = limit
        self._roster = cluster.load_roster()
        self.untold: list[str] = []
        """Nodes that remain, where none of them could be told of it."""

    def run(self, names: Sequence[str]) -> list[Outcome]:
        """Takes down the named nodes; a host that is no node of ours is looked for by SSH.

        Raises:
            JobsRunning: Jobs run there, and it was not forced; nothing was done.
        """
        hosts = [_Host(name, Journey(self._watcher, Outcome(name))) for name in names]
        try:
            self._each(hosts, self._look)
            self._check_jobs(hosts)
            self._each([host for host in hosts if host.reached], self._remove, last=True)
        finally:
            for host in hosts:
                if host.connection is not None:
                    host.connection.close()
        self._update_roster(hosts)
        return [host.journey.outcome for host in hosts]

    def _each(
        self, hosts: Sequence[_Host], work: Callable[[_Host], None], *, last: bool = False
    ) -> None:
        def ended(host: _Host, error: SsiError | None) -> None:
            if error is not None or last:
                host.journey.ended(error)

        for host in work_on(hosts, work, ended, lambda: self._limit.left_s(kept=not last)):
            host.journey.give_up(self._limit, f"ssi down {host.name}")

    def _entry(self, name: str) -> RosterEntry | None:
        return self._roster.node(name) if self._roster is not None else None

    def _look(self, host: _Host) -> None:
        """The host is reached, ours alone, and its jobs are counted."""
        entry = self._entry(host.name)
        with host.journey.step("resolve"):
            target = self._resolver.resolve(entry.ssh_target if entry is not None else host.name)
        with host.journey.step("connect"):
            host.connection = connect(target, self._trust)
        with host.journey.step("probe"):
            host.remote = Remote(host.connection)
            sight = host.remote.look()
            host.was_there = sight.there
            if not sight.there:
                return
            host.remote.reserve(cluster.holder_of_lock(), [])
            host.shims = sight.shims
            if sight.agent:
                # A shim keeps what an ended job left; the agent knows which those are. One of
                # another version cannot be asked: then every shim counts, and ends with the rest.
                with suppress(VersionMismatch):
                    host.roster = roster_of(host.remote)
                    host.jobs = _running_jobs(host.remote)
                    host.shims = 0

    def _check_jobs(self, hosts: Sequence[_Host]) -> None:
        busy = [host for host in hosts if host.reached and host.job_count]
        if busy and not self._force:
            jobs = sum(host.job_count for host in busy)
            raise JobsRunning(jobs=jobs, nodes=fold(host.name for host in busy))

    def _remove(self, host: _Host) -> None:
        outcome = host.journey.outcome
        if not host.was_there:
            outcome.done = "nothing of ssi was there"
            return
        assert host.remote is not None
        with host.journey.step("jobs"):
            _kill(host.remote, host.jobs)
        with host.journey.step("remove"):
            left = host.remote.remove()
        if left:
            raise LeftBehind(host=host.name, left=list(left))
        count = host.job_count
        killed = f", {count} job{'s' if count > 1 else ''} ended" if count else ""
        outcome.done = f"removed{killed}"

    def _update_roster(self, hosts: Sequence[_Host]) -> None:
        """The roster is without those that are gone, here and on the nodes that remain."""
        if self._roster is None:
            return
        known = newest(self._roster, (host.roster for host in hosts if host.roster is not None))
        assert known is not None
        gone = {host.name for host in hosts if host.reached or (self._forget and host.is_away)}
        roster = dismiss(known, gone)
        if not roster.nodes:
            end_local_agent()
            cluster.forget_system()
        elif roster is not known:
            cluster.save_roster(roster)
            self.untold = tell_others(roster, gone, self._resolver, self._trust, self._limit)
            tell_local_agent(roster, cluster.public_key())


def _running_jobs(remote: Remote) -> list[JobRow]:
    (frame,) = remote.ask([door.question(ListJobs())])
    rows = door.answer(frame, JobList).rows
    return [row for row in rows if row.state not in {JobState.EXITED, JobState.LOST}]


def _kill(remote: Remote, jobs: Sequence[JobRow]) -> None:
    """Every process of the jobs is told to end at once; what escapes ends with its shim."""
    questions = [
        SignalProcess(gpid=job.gpid, start_ms=job.start_ms, signal=signal.SIGKILL) for job in jobs
    ]
    if questions:
        for frame in remote.ask([door.question(each) for each in questions]):
            try:
                door.answer(frame, Done)
            except NoSuchProcess:
                continue  # it ended by itself meanwhile
