"""The process table: what runs here under which gpid."""

from __future__ import annotations

import logging
import pwd
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.job import Job
from nodeagent.jobtable import JobTable, held_job
from nodeagent.mechanism import cgroup
from nodeagent.mechanism.procfs import HostProcess, ProcessTable, read_state
from nodeagent.mechanism.threads import read_threads
from nodeagent.services.processes import HeldJob, ScanTime, hide_commands, process_rows, select_rows
from nodeagent.services.threads import rows_with_threads
from ssi.model.process import ProcessRow
from ssi.model.shim import ShimGone
from ssi.protocol.refusals import NotServed
from ssi.protocol.system import ListProcesses, Locate, Located, ProcessList

_log = logging.getLogger(__name__)


class TableService:
    """Handlers for processes.

    Args:
        node: Name of this node.
        number: Tells this node's number; None before the roster has come.
        jobs: Its jobs.
    """

    def __init__(self, node: str, number: Callable[[], int | None], jobs: JobTable) -> None:
        self._node = node
        self._number = number
        self._jobs = jobs
        self._processes = ProcessTable()
        self._names: dict[int, str] = {}

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to processes."""
        dispatcher.serve(ListProcesses, self._list)
        dispatcher.serve(Locate, self._locate)

    def rows(self) -> list[ProcessRow]:
        """All processes, freshly read.

        Raises:
            NotServed: The node has no number yet.
        """
        return self._rows(self._processes.scan(), self._jobs.held())

    def with_threads(self, rows: Iterable[ProcessRow]) -> list[ProcessRow]:
        """The rows, and after each its threads, which are read now.

        Raises:
            NotServed: The node has no number yet.
        """
        number = self._known_number()
        return rows_with_threads(rows, read_threads, node_number=number, taken=_now())

    def _known_number(self) -> int:
        number = self._number()
        if number is None:
            reason = "it has been given no roster yet"
            raise NotServed(node=self._node, request="processes", reason=reason)
        return number

    def _rows(self, scan: list[HostProcess], held: list[HeldJob]) -> list[ProcessRow]:
        return process_rows(
            scan,
            held,
            node_number=self._known_number(),
            taken=_now(),
            namespace_pids=self._processes.namespace_pids,
            user_name=self._user_name,
        )

    def job_rows(self) -> list[ProcessRow]:
        """Processes of jobs only; costs nothing where there is no job."""
        return [row for row in self.rows() if row.job] if self._jobs.living() else []

    def states_of(self, job: Job) -> list[str]:
        """The state of each process of a job.

        A shell asks each second and a half whether what has its terminal was stopped. So nothing
        but the job's cgroup is looked at, where there is one with processes in it.
        """
        pids = cgroup.processes_of_job(job.row.gpid)
        if not pids:
            return [row.state for row in self.job_rows() if row.job == job.row.gpid]
        return [state for state in map(read_state, pids) if state]

    def observe(self, job: Job) -> None:
        """Reads the processes of a job at its barrier, so that they are named before they run."""
        self._rows(self._processes.scan_below(job.shim_pid), [held_job(job)])

    def pids_of(self, job: Job) -> list[int]:
        """The processes of a job that stands still; the host's others are not looked at."""
        scan = self._processes.scan_below(job.shim_pid)
        return [row.pid for row in self._rows(scan, [held_job(job)]) if row.job == job.row.gpid]

    async def _list(self, caller: Caller, body: ListProcesses) -> ProcessList:
        rows = select_rows(self.rows(), gpids=body.gpids, jobs=body.jobs)
        if body.threads:
            rows = self.with_threads(rows)
        for job in self._jobs.living():
            with suppress(ShimGone):  # it has just ended, and its watcher will say so
                await job.note()
        return ProcessList(
            node=self._node,
            taken_at_s=time.time(),
            rows=tuple(hide_commands(rows, caller.user)),
            whereabouts=self._jobs.whereabouts(),
        )

    async def _locate(self, _caller: Caller, body: Locate) -> Located:
        job = self._jobs.jobs.get(body.gpid)
        if job is not None and not job.is_over and not job.is_unsettled:  # no need to look around
            return Located(here=True, start_ms=job.row.start_ms, job=body.gpid)
        row = next((row for row in self.rows() if row.gpid == body.gpid), None)
        if row is not None:
            return Located(here=True, start_ms=row.start_ms, job=row.job)
        if job is not None and not job.released and job.stage != "lent":
            return Located(here=True, start_ms=job.row.start_ms, job=body.gpid)
        return Located(here=False, moving=self._jobs.has_leavers())

    def _user_name(self, uid: int) -> str:
        name = self._names.get(uid)
        if name is None:
            try:
                name = pwd.getpwuid(uid).pw_name
            except KeyError:
                name = str(uid)
            self._names[uid] = name
        return name


def _now() -> ScanTime:
    return ScanTime(wall_s=time.time(), since_boot_s=time.clock_gettime(time.CLOCK_BOOTTIME))
