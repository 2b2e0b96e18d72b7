"""An arrival gets its job, and that its shim."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.mechanism import cgroup
from nodeagent.migration.arrival import Arrival, end
from nodeagent.migration.standby import stand_by
from nodeagent.shim.messages import Account, StandByToRestore
from ssi.model.errors import SsiError
from ssi.model.job import JobRow


class Opening:
    """Ahead of the images where it can.

    Args:
        table: The jobs of this node.
        open_shim: Gives a job a shim.
    """

    def __init__(self, table: JobTable, open_shim: Callable[[Job], Awaitable[None]]) -> None:
        self._table = table
        self._open_shim = open_shim

    def begin(self, arrival: Arrival, criu: str, account: Account) -> None:
        """Forks the shim while the job still runs at its source: it stands still for less.

        Args:
            arrival: To which it belongs.
            criu: Path of the program, which is loaded ahead, too.
            account: Whose job it is.
        """

        async def opened() -> Job | SsiError | OSError:
            try:
                job = self._make(arrival, arrival.row)
                try:
                    await self._open_shim(job)
                    await job.note()  # to an agent after this one it tells whose it was to be
                except SsiError:
                    await end(job)
                    raise
                request = StandByToRestore(
                    criu=criu,
                    cgroup=cgroup.make_for_job(job.row.gpid),
                    account=account,
                    terminal=job.row.has_terminal,
                )
                await stand_by(job, request)
            except (SsiError, OSError) as exc:
                return exc  # to whoever wants the job; here it would end the agent
            return job

        arrival.opening = self._table.begin(opened())

    async def job_of(self, arrival: Arrival, row: JobRow) -> Job:
        """The job of an arrival, with its shim.

        Raises:
            SsiError: It got none.
            OSError: It got no directory.
        """
        job = await arrival.opened()
        if job is not None:
            arrives = msgspec.structs.replace(row, node="")
            if job.row != arrives:
                job.row = arrives
                job.save()
            return job
        standing = self._table.jobs.get(row.gpid)
        if standing is not None and standing.is_over:
            self._table.forget(standing)  # it ended here, and comes back from a checkpoint
        arrival.job = job = self._make(arrival, row)
        await self._open_shim(job)
        return job

    def _make(self, arrival: Arrival, row: JobRow) -> Job:
        # Its record names no node until it runs: an agent that finds it with no shim then knows
        # that it never did, and that the job is not lost with it.
        job = self._table.make(msgspec.structs.replace(row, node=""))
        job.source = arrival.source
        return job
