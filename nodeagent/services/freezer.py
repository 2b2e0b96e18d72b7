"""Requests to freeze and thaw jobs."""

from __future__ import annotations

import logging
from contextlib import suppress

import msgspec

from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.freezing import hold_job, thaw_job
from nodeagent.jobtable import JobTable
from nodeagent.services.permission import owned_job
from nodeagent.services.standing import not_moving
from ssi.model.shim import ShimGone, ShimSilent
from ssi.protocol.jobs import FreezeJob, JobReply
from ssi.protocol.refusals import NoSuchProcess

_log = logging.getLogger(__name__)


class FreezerService:
    """Handler for freezing and thawing.

    Args:
        node: Name of this node.
        table: Its jobs.
    """

    def __init__(self, node: str, table: JobTable) -> None:
        self._node = node
        self._table = table

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to the freezer."""
        dispatcher.serve(FreezeJob, self._freeze)

    async def _freeze(self, caller: Caller, body: FreezeJob) -> JobReply:
        job = owned_job(self._table, body.gpid, caller, self._node)
        async with not_moving(job):  # a move thaws and freezes by itself
            job = owned_job(self._table, body.gpid, caller, self._node)
            if job.is_over or job.row.start_ms != body.start_ms:
                raise NoSuchProcess(gpid=body.gpid, detail="it has ended" if job.is_over else "")
            if body.frozen:
                await hold_job(job)
            else:
                thaw_job(job)
            job.row = msgspec.structs.replace(job.row, frozen=body.frozen)
            job.become(job.row.state)  # keeps the row
            with suppress(ShimGone, ShimSilent):
                await job.note()
        _log.info("event=freezer gpid=%d frozen=%s", body.gpid, body.frozen)
        return JobReply(row=job.row)
