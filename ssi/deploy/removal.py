"""``ssi down``: hosts are no nodes any more, and nothing of ssi is left on them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from ssi.deploy import cluster, door
from ssi.deploy.connection import Connection, connect
from ssi.deploy.deployment import AT_A_TIME
from ssi.deploy.enrolment import dismiss
from ssi.deploy.errors import JobsRunning, LeftBehind
from ssi.deploy.hostkey import Trust
from ssi.deploy.localagent import end_local_agent, tell_local_agent
from ssi.deploy.messenger import tell_others
from ssi.deploy.progress import Journey, Outcome, Watcher
from ssi.deploy.remote import Remote
from ssi.deploy.target import Resolver
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState
from ssi.model.node import RosterEntry
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
    jobs: list[JobRow] = field(default_factory=list)
    shims: int = 0
    was_there: bool = False

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
    """

    def __init__(
        self, resolver: Resolver, trust: Trust, watcher: Watcher, *, force: bool, forget: bool
    ) -> None:
        self._resolver = resolver
        self._trust = trust
        self._watcher = watcher
        self._force = force
        self._forget = forget
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
            with ThreadPoolExecutor(AT_A_TIME) as pool:
                self._each(pool, hosts, self._look)
                self._check_jobs(hosts)
                reached = [host for host in hosts if host.remote is not None]
                self._each(pool, reached, self._remove)
        finally:
            for host in hosts:
                if host.connection is not None:
                    host.connection.close()
        self._update_roster(hosts)
        return [host.journey.outcome for host in hosts]

    def _each(
        self, pool: ThreadPoolExecutor, hosts: Sequence[_Host], work: Callable[[_Host], None]
    ) -> None:
        def guarded(host: _Host) -> None:
            try:
                work(host)
            except SsiError as exc:
                host.remote = None
                host.journey.outcome.error = exc
                self._watcher.ended(host.journey.outcome)

        list(pool.map(guarded, hosts))

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
                    host.jobs = _running_jobs(host.remote)
                    host.shims = 0

    def _check_jobs(self, hosts: Sequence[_Host]) -> None:
        busy = [host for host in hosts if host.job_count]
        if busy and not self._force:
            jobs = sum(host.job_count for host in busy)
            raise JobsRunning(jobs=jobs, nodes=fold(host.name for host in busy))

    def _remove(self, host: _Host) -> None:
        outcome = host.journey.outcome
        if not host.was_there:
            outcome.done = "nothing of ssi was there"
            self._watcher.ended(outcome)
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
        self._watcher.ended(outcome)

    def _update_roster(self, hosts: Sequence[_Host]) -> None:
        """The roster is without those that are gone, here and on the nodes that remain."""
        if self._roster is None:
            return
        gone = {host.name for host in hosts if host.journey.outcome.error is None or self._forget}
        roster = dismiss(self._roster, gone)
        if not roster.nodes:
            end_local_agent()
            cluster.forget_system()
        elif roster is not self._roster:
            cluster.save_roster(roster)
            self.untold = tell_others(roster, gone, self._resolver, self._trust)
            tell_local_agent(roster)


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
