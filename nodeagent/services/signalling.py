"""Signals to jobs and to single processes, wherever they go meanwhile."""

from __future__ import annotations

import pwd
import signal
from contextlib import nullcontext, suppress

from nodeagent.dispatch import Audience, Caller, Dispatcher
from nodeagent.freezing import thaw_job
from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.mechanism import signals
from nodeagent.services.permission import owned_job
from nodeagent.services.standing import until_it_goes_on
from nodeagent.services.table import TableService
from nodeagent.shim.messages import Ok, SendSignals
from nodeagent.stopping import until_stopped
from ssi.model.process import ProcessRow
from ssi.protocol.jobs import ANY_START, SignalProcess
from ssi.protocol.message import Done
from ssi.protocol.migration import ForwardSignals
from ssi.protocol.refusals import NoSuchProcess, NotPermitted, NotServed, UserUnknown

STOP_ROUNDS = 5
"""How often a job is read again for processes that it forked while it was being signalled."""

SHIM_TIMEOUT_S = 5.0


class SignalService:
    """Handler for signals.

    Args:
        node: Name of this node.
        jobs: Its jobs.
        processes: Its process table.
    """

    def __init__(self, node: str, jobs: JobTable, processes: TableService) -> None:
        self._node = node
        self._jobs = jobs
        self._processes = processes

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves signals."""
        dispatcher.serve(SignalProcess, self._signal)
        dispatcher.serve(ForwardSignals, self._take_forwarded, Audience.NODE)

    async def _signal(self, caller: Caller, body: SignalProcess) -> Done:
        if not 0 <= body.signal < signal.NSIG:
            raise NotServed(node=self._node, request=f"signal {body.signal}")
        departed = self._jobs.departed.of(body.gpid)
        if body.gpid in self._jobs.jobs or (departed is not None and departed.node):
            await self._signal_job(caller, body)
        else:
            await self._signal_process(caller, body)
        return Done()

    async def _take_forwarded(self, caller: Caller, body: ForwardSignals) -> Done:
        job = await until_it_goes_on(self._jobs, body.gpid)
        if caller.node not in job.row.nodes:
            deed = f"forward signals to job {body.gpid}"
            raise NotPermitted(node=self._node, user=caller.node, deed=deed)
        if not job.is_over:
            await job.shim().ask(SendSignals(signals=body.signals), Ok, SHIM_TIMEOUT_S)
        return Done()

    async def _signal_job(self, caller: Caller, body: SignalProcess) -> None:
        """Signals every process of a job, as systemd does for a unit (systemd.kill(5)).

        The job's processes are read again until no new one turns up: one that is being forked
        while the others are signalled must not escape. One that is stopped is waited for, and no
        dump begins meanwhile, which must be the only one that stops and lets go on.
        """
        job = self._asked(caller, body)
        is_here = job.stage in {"running", "stopped"} and not job.pledged
        if body.signal == signal.SIGKILL and (is_here or job.returning):
            self._kill(job, body)  # at once: its memory may be on its way for a minute
            return
        stops = body.signal == signal.SIGSTOP
        async with job.stopping if stops else nullcontext():
            signalled: dict[int, int] = {}
            for _ in range(STOP_ROUNDS):
                await until_it_goes_on(self._jobs, body.gpid)
                job = self._asked(caller, body)
                found = self._signal_all(body, signalled)  # nothing is waited for in between
                if not stops or job.row.frozen or not found:
                    break
                await until_stopped(signalled.values())

    def _asked(self, caller: Caller, body: SignalProcess) -> Job:
        """The job that is meant, if it is the caller's and lives."""
        job = owned_job(self._jobs, body.gpid, caller, self._node)
        if job.is_over or body.start_ms not in {ANY_START, job.row.start_ms}:
            raise NoSuchProcess(gpid=body.gpid, detail="it has ended" if job.is_over else "")
        return job

    def _kill(self, job: Job, body: SignalProcess) -> None:
        if job.stands_still:
            job.doomed.set()
        try:
            self._signal_all(body, {})
        finally:
            if job.row.frozen:
                thaw_job(job)  # the freezer of cgroups v1 would hold a killed process for ever

    def _signal_all(self, body: SignalProcess, signalled: dict[int, int]) -> bool:
        """Signals those that are not among ``signalled`` (pids by gpid); whether there were any."""
        known = len(signalled)
        for _ in range(STOP_ROUNDS):
            fresh = [
                row
                for row in self._processes.rows()
                if row.job == body.gpid and row.gpid not in signalled and row.state != "Z"
            ]
            if not fresh:
                break
            for row in fresh:
                signalled[row.gpid] = row.pid
                with suppress(ProcessLookupError):
                    signals.send(row.pid, body.signal)
        return len(signalled) > known

    async def _signal_process(self, caller: Caller, body: SignalProcess) -> None:
        row = self._row(body)
        if row.job and row.job in self._jobs.jobs:
            await until_it_goes_on(self._jobs, row.job)
            row = self._row(body)  # where it went along with its job, it is not here
        caller_uid = 0 if caller.is_root else self._uid_of(caller.user)
        try:
            signals.send_checked(row.pid, body.signal, caller_uid, lambda: self._is_still(row))
        except ProcessLookupError as exc:
            raise NoSuchProcess(gpid=body.gpid, detail="it has just ended") from exc
        except PermissionError as exc:
            deed = f"signal {body.gpid} ({row.name} of {row.user})"
            raise NotPermitted(node=self._node, user=caller.user, deed=deed) from exc
        if body.signal == signal.SIGSTOP:
            await until_stopped([row.pid])

    def _row(self, body: SignalProcess) -> ProcessRow:
        row = next((row for row in self._processes.rows() if row.gpid == body.gpid), None)
        if row is None:
            raise NoSuchProcess(gpid=body.gpid, detail=f"not on {self._node}")
        if body.start_ms not in {ANY_START, row.start_ms}:
            raise NoSuchProcess(gpid=body.gpid, detail="another process has its pid now")
        return row

    def _uid_of(self, user: str) -> int:
        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError as exc:
            raise UserUnknown(node=self._node, user=user) from exc

    def _is_still(self, row: ProcessRow) -> bool:
        again = next((r for r in self._processes.rows() if r.pid == row.pid), None)
        return again is not None and again.gpid == row.gpid and again.start_ms == row.start_ms
