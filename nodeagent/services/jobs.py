"""Jobs: started as their user, listed, waited for, released."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import msgspec

from nodeagent.clientfiles import ClientFiles
from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.job import Job
from nodeagent.jobfiles import await_mounts, files_on, missing_nodes, why_unusable
from nodeagent.jobtable import JobTable
from nodeagent.mechanism import cgroup, login, signals
from nodeagent.mechanism.mounts import Mounts
from nodeagent.readyshims import ReadyShims
from nodeagent.services.permission import owned_job
from nodeagent.services.standing import not_moving
from nodeagent.shim.filemounts import Files
from nodeagent.shim.keepermessages import ForkShim, ShimForked
from nodeagent.shim.messages import Ok as ShimOk
from nodeagent.shim.messages import Release, Renew, Start, Status
from nodeagent.shimlink import ShimGone, ShimLink, ShimSilent
from ssi.model.errors import SsiError
from ssi.model.gpid import parts_of
from ssi.model.job import JobRow, JobSpec, JobState
from ssi.model.jobfiles import FilesUnavailable, JobFiles
from ssi.model.launch import StartFailed
from ssi.model.process import ProcessRow
from ssi.protocol.jobs import DisownJob, JobReply, ReleaseJob, StartJob, WaitJob
from ssi.protocol.message import Done
from ssi.protocol.refusals import NotServed, UserUnknown
from ssi.protocol.system import JobList, ListJobs

_log: Final = logging.getLogger(__name__)

START_TIMEOUT_S: Final = 15.0
MAX_WAIT_MS: Final = 30_000

MOST_START_WAIT_MS: Final = 1_000
"""How long a start may wait for the end of its job."""

BRIEF_S: Final = 0.1
"""Whoever waits for a job renews its lease, but not that of one that ends so soon."""

LONGEST_NAME: Final = 100
"""Characters of what a user calls a job."""

PID_BASE_FIRST: Final = 300
PID_BASE_SPAN: Final = 29_000
"""Where pids of jobs begin: below the default pid_max of 32,768, apart from each other, so that
two jobs that write pid files rarely meet."""

ForkShimCall = Callable[[ForkShim], Awaitable[ShimForked]]


class JobService:
    """Handlers for jobs.

    Args:
        node: Name of this node.
        table: Its jobs.
        fork_shim: Asks the keeper for a shim.
        scan: Rows of all processes of jobs, freshly read.
        states_of: The states of one job's processes, likewise.
        clients: Mounts files of machines that are no nodes.
        ready: Shims that wait for brief jobs.
        tasks: In which links to shims are read.
    """

    def __init__(
        self,
        node: str,
        table: JobTable,
        fork_shim: ForkShimCall,
        scan: Callable[[], list[ProcessRow]],
        states_of: Callable[[Job], list[str]],
        clients: ClientFiles,
        ready: ReadyShims,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._node = node
        self._table = table
        self._fork_shim = fork_shim
        self._scan = scan
        self._states_of = states_of
        self._clients = clients
        self._ready = ready
        self._tasks = tasks

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to jobs."""
        dispatcher.serve(StartJob, self._start)
        dispatcher.serve(ListJobs, self._list)
        dispatcher.serve(WaitJob, self._wait)
        dispatcher.serve(DisownJob, self._disown)
        dispatcher.serve(ReleaseJob, self._release)

    async def open_shim(self, job: Job) -> None:
        """Gives a job that has none a fresh shim, and a link to it.

        Raises:
            SsiError: The keeper does not answer or could not fork.
        """
        job.shim_pid = (await self._fork_shim(_order(job))).pid
        job.link = await ShimLink.connect(job.sockets / "shim.sock", self._tasks)

    async def _open_any(self, job: Job, files: Files) -> None:
        """As :meth:`open_shim`; one that is ready where the job could leave it so again."""
        row = job.row
        plain = not (row.detached or row.has_terminal or files.mounts or files.root)
        if not (login.is_root() and plain and await self._ready.lend(job, _order(job))):
            await self.open_shim(job)

    async def _start(self, caller: Caller, body: StartJob) -> JobReply:
        spec = body.spec
        if not spec.argv:
            raise NotServed(node=self._node, request="an empty command")
        account = login.find_account(caller.user)
        if account is None:
            raise UserUnknown(node=self._node, user=caller.user)
        spec, notice = await self._with_files(spec, caller.user)
        gpid = self._table.allocate()
        started_ms = int(time.time() * 1000)
        try:
            job = self._make(gpid, started_ms, caller.user, spec)
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise StartFailed(command=spec.argv[0], step="its directory", reason=reason) from exc
        try:
            start = await self._prepare(job, spec, account, no_input=body.no_input)
            status = await job.shim().ask(start, Status, START_TIMEOUT_S)
        except SsiError:
            await self._give_up(job)
            raise
        job.root_pid = status.root_pid
        job.membership.adopt([(login.innermost_pid(status.root_pid), gpid, started_ms)])
        job.become(JobState.RUNNING)
        self._table.add(job)
        # The note is in the shim's socket before the reply is in anybody's, and is read there even
        # if this agent dies now; that the shim has read it, nobody has to wait for.
        self._tasks.create_task(job.try_to_note())
        output = await self._output_of_brief(job, body.wait_ms)
        return JobReply(row=job.row, notice=notice, no_input=status.no_input, output=output)

    async def _output_of_brief(self, job: Job, wait_ms: int) -> tuple[bytes, bytes] | None:
        """All that a job wrote that ends so soon, which is released; None for any other.

        Who asked for its start is told, and nobody else knows of it.
        """
        if wait_ms <= 0 or not await _has_ended(job, min(wait_ms, MOST_START_WAIT_MS) / 1000):
            return None
        output, job.output = job.output, None
        if output is None or job.row.detached or job.row.state is not JobState.EXITED:
            return None
        self._tasks.create_task(self._let_go_later(job))
        return output

    async def _let_go_later(self, job: Job) -> None:
        try:
            await self.let_go(job, brief=True)
        except SsiError as exc:  # its lease ends it
            _log.warning("event=not-released gpid=%d reason=%s", job.row.gpid, exc)

    async def _with_files(self, spec: JobSpec, user: str) -> tuple[JobSpec, str]:
        """The job with files that this node can show it, and what its user should know of that.

        Raises:
            FilesUnavailable: It cannot show some that were asked for, or not now.
        """
        files = spec.files
        reason = "" if files is None else why_unusable()
        if files is None or (reason and not missing_nodes(self._node, files, Mounts(""))):
            return spec, ""
        if not reason:
            if missing_nodes(self._node, files, Mounts.of_process(os.getpid())):
                await self._bring(files, user)  # before there is a shim, which is to see it
            return spec, ""
        if files.is_whole or any(bind.is_asked for bind in files.binds):
            raise FilesUnavailable(
                node=self._node, files=f"files of {', '.join(files.nodes())}", reason=reason
            )
        notice = (
            f"the job sees the files of {self._node}, not those of {files.home}: {reason} "
            "(--root local says nothing of it)"
        )
        return msgspec.structs.replace(spec, files=None), notice

    async def _bring(self, files: JobFiles | None, user: str) -> None:
        await self._clients.bring(files, user)
        await await_mounts(self._node, files)

    async def _prepare(
        self, job: Job, spec: JobSpec, account: login.LoginAccount, *, no_input: bool
    ) -> Start:
        """What its shim is to be told, once it has one and its files are surely there.

        The keeper and the warden work side by side, and neither waits for what is done here.

        Raises:
            SsiError: The first of what failed.
        """

        async def compose() -> Start:
            message = self._start_message(job, spec, account, no_input=no_input)
            await self._bring(spec.files, job.row.user)
            return message

        outcomes = await asyncio.gather(
            self._open_any(job, files_on(self._node, spec.files)), compose(), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        start = outcomes[1]
        assert isinstance(start, Start)
        return start

    def _make(self, gpid: int, started_ms: int, user: str, spec: JobSpec) -> Job:
        row = JobRow(
            gpid=gpid,
            node=self._node,
            user=user,
            argv=spec.argv,
            cwd=spec.cwd,
            state=JobState.STARTING,
            start_ms=started_ms,
            detached=spec.detached,
            has_terminal=spec.terminal is not None,
            piped_stdin=spec.terminal is not None and spec.piped_stdin,
            nodes=(self._node,),
            home=spec.files.home if spec.files is not None else spec.home or self._node,
            files=spec.files,
            name=spec.name[:LONGEST_NAME],
        )
        return self._table.make(row, lasting=spec.detached)

    def _start_message(
        self, job: Job, spec: JobSpec, account: login.LoginAccount, *, no_input: bool
    ) -> Start:
        home = account.home
        if spec.files is not None and spec.files.home_directory:
            home = spec.files.home_directory
        environment = login.environment(account, {"HOME": home, **spec.environment})
        if spec.terminal is not None:
            environment["TERM"] = spec.terminal.term
        is_there = spec.files is not None and bool(spec.cwd) and spec.files.cover(spec.cwd)
        fallback = (home, "/") if not is_there and (spec.cwd_fallback or not spec.cwd) else ()
        parts = parts_of(job.row.gpid)
        offset = (parts.node_number * 7919 + parts.local * 61) % PID_BASE_SPAN
        return Start(
            account=account.for_shim(),
            argv=spec.argv,
            environment=environment,
            cwds=(*((spec.cwd,) if spec.cwd else ()), *fallback),
            terminal=spec.terminal,
            piped_stdin=spec.piped_stdin,
            logs=str(job.record) if spec.detached and spec.terminal is None else "",
            log_limit_bytes=spec.log_limit_bytes,
            pid_base=PID_BASE_FIRST + offset,
            cgroup=cgroup.make_for_job(job.row.gpid),
            lease_s=0.0 if spec.detached else max(0.0, spec.lease_s),
            files=files_on(self._node, spec.files),
            no_input=no_input and spec.terminal is None and not spec.detached,
        )

    async def _give_up(self, job: Job) -> None:
        """Leaves nothing of a job whose start failed, also where its shim does not answer."""
        if job.link is not None:
            try:
                await job.link.ask(Release(), ShimOk, 5.0)
            except ShimGone:
                pass  # as wanted
            except SsiError:
                # It lives and holds on to a job. It is the first process of the job's namespace,
                # so all others end with it.
                with suppress(ProcessLookupError):
                    signals.send(job.shim_pid, signal.SIGKILL)
        self._table.forget(job)

    async def _list(self, caller: Caller, body: ListJobs) -> JobList:
        jobs = [
            job
            for job in self._table.jobs.values()
            if not job.released
            and job.stage != "lent"
            and (caller.is_root or caller.user == job.row.user)
            and (not body.gpids or job.row.gpid in body.gpids)
        ]
        states: dict[int, list[str]] = {}
        if body.gpids:
            states = {job.row.gpid: self._states_of(job) for job in jobs if not job.is_over}
        else:
            for process in self._scan():
                states.setdefault(process.job, []).append(process.state)
        rows = [_with_processes(job.row, states.get(job.row.gpid, [])) for job in jobs]
        return JobList(
            node=self._node,
            rows=tuple(sorted(rows, key=lambda row: row.start_ms)),
            whereabouts=self._table.whereabouts(),
        )

    async def _wait(self, caller: Caller, body: WaitJob) -> JobReply:
        job = owned_job(self._table, body.gpid, caller, self._node)
        wait_s = max(0.0, min(body.wait_ms, MAX_WAIT_MS) / 1000)
        if not await _has_ended(job, min(wait_s, BRIEF_S)):
            await _renew_lease(job)
            await _has_ended(job, max(0.0, wait_s - BRIEF_S))
        if job.is_over:  # also where another client has let go of it meanwhile
            return JobReply(row=job.row, unread=job.unread, consumed=job.consumed)
        return JobReply(row=owned_job(self._table, body.gpid, caller, self._node).row)

    async def _disown(self, caller: Caller, body: DisownJob) -> Done:
        job = owned_job(self._table, body.gpid, caller, self._node)
        async with not_moving(job):
            job = owned_job(self._table, body.gpid, caller, self._node)
            await job.shim().ask(Renew(lease_s=0.0), ShimOk, 5.0)
            job.become(job.row.state, detached=True)
            with suppress(ShimGone, ShimSilent):  # it has just ended
                await job.note()
        return Done()

    async def _release(self, caller: Caller, body: ReleaseJob) -> Done:
        job = owned_job(self._table, body.gpid, caller, self._node)
        if job.is_read:
            job.release_asked = True
        elif job.is_over:
            await self.let_go(job)
        return Done()

    async def let_go(self, job: Job, *, brief: bool = False) -> None:
        """Nobody wants anything more of a job that has ended.

        A foreground job is not told of any more from here on: its client may not wait for this.

        Args:
            job: Which one.
            brief: All that it wrote is told; its shim may be used again.

        Raises:
            SsiError: Its shim holds on to it, and it is told of as before.
        """
        before, job.released = job.released, job.released or not job.row.detached
        if job.link is not None:
            try:
                await self._ready.release(job, again=brief)
            except ShimGone:
                pass  # as wanted
            except SsiError:
                job.released = before
                raise
        if not job.row.detached:
            self._table.let_go(job)


def _order(job: Job) -> ForkShim:
    return ForkShim(directory=str(job.sockets), namespaces=login.is_root())


async def _has_ended(job: Job, wait_s: float) -> bool:
    """Whether it has, after so long at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await job.ended.wait()
    return job.ended.is_set()


async def _renew_lease(job: Job) -> None:
    """Somebody cares for the job, also where it has closed its output and is only waited for."""
    if job.link is not None and not job.is_over:
        with suppress(SsiError):  # it has just ended, or is being moved
            await job.link.ask(Renew(), ShimOk, 5.0)


def _with_processes(row: JobRow, states: list[str]) -> JobRow:
    """The row with its count of processes; frozen, or stopped where every one of them is."""
    state = row.state
    if state is JobState.RUNNING and row.frozen:
        state = JobState.FROZEN
    elif state is JobState.RUNNING and states and all(letter in "TtZ" for letter in states):
        state = JobState.STOPPED
    return msgspec.structs.replace(row, processes=len(states), state=state)
