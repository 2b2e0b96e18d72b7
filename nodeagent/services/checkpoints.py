"""Checkpoints by hand and copies of jobs: asked for by users, and forgotten with their jobs."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from nodeagent.checkpoint.cloning import Cloner
from nodeagent.checkpoint.delivery import Delivery
from nodeagent.checkpoint.dumping import Dumper
from nodeagent.checkpoint.revival import Reviver
from nodeagent.checkpoint.store import Store
from nodeagent.checkpoint.taking import Taker
from nodeagent.dispatch import Audience, Caller, Dispatcher
from nodeagent.freezing import thaw_job
from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.migration.capability import Capability
from nodeagent.peers import Peers
from nodeagent.services.permission import owned_job
from nodeagent.services.table import TableService
from ssi.model.checkpoint import CheckpointRow, CheckpointUnknown, is_checkpoint_name
from ssi.model.errors import SsiError
from ssi.model.job import JobState
from ssi.protocol.checkpoints import (
    CheckpointJob,
    CheckpointList,
    CheckpointMade,
    CloneJob,
    JobRevived,
    LeaveJob,
    ListCheckpoints,
    RemoveCheckpoint,
    RestoreCheckpoint,
)
from ssi.protocol.message import Done
from ssi.protocol.migration import GetOwnership, Ownership
from ssi.protocol.refusals import NodeUnknown, NoSuchProcess, NotPermitted, NotServed

_log = logging.getLogger(__name__)

SWEEP_S: Final = 20.0
"""Between two looks for checkpoints whose job has ended."""


class CheckpointService:
    """Handlers for checkpoints.

    Args:
        node: Name of this node.
        table: Its jobs.
        peers: Links to the nodes, this one among them.
        processes: Its process table.
        images: Directory for images, in memory.
        store: Its checkpoints.
        leading: Where :mod:`~nodeagent.migration.doubt` is told of what is led from here.
    """

    def __init__(
        self,
        node: str,
        table: JobTable,
        peers: Peers,
        processes: TableService,
        images: Path,
        store: Store,
        leading: dict[int, tuple[int, str]],
    ) -> None:
        self._node = node
        self._table = table
        self._peers = peers
        self._store = store
        capability = Capability()
        dumper = Dumper(node, capability, processes.job_rows, images)
        delivery = Delivery(node, peers, leading)
        self._taker = Taker(node, dumper, store, capability)
        self._reviver = Reviver(node, store, delivery, peers, table.allocate)
        self._cloner = Cloner(node, dumper, delivery, capability, table.allocate)

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to checkpoints."""
        dispatcher.serve(CheckpointJob, self._checkpoint)
        dispatcher.serve(ListCheckpoints, self._list)
        dispatcher.serve(RemoveCheckpoint, self._remove)
        dispatcher.serve(RestoreCheckpoint, self._restore)
        dispatcher.serve(CloneJob, self._clone)
        dispatcher.serve(LeaveJob, self._leave, Audience.NODE)

    def adopt(self, tasks: asyncio.TaskGroup) -> None:
        """Clears what an earlier agent left half done, and looks after the rest in ``tasks``."""
        self._store.clear()
        for job in self._table.living():
            if not job.row.frozen:
                thaw_job(job)  # that agent held it for a checkpoint
        tasks.create_task(self._sweep())

    async def _checkpoint(self, caller: Caller, body: CheckpointJob) -> CheckpointMade:
        job = self._asked(caller, body.gpid, body.start_ms)
        if body.name and not is_checkpoint_name(body.name):
            reason = "letters, digits, dots, dashes and underscores, 64 at the most"
            raise NotServed(node=self._node, request=f"the name {body.name!r}", reason=reason)
        return await self._taker.take(job, body.name, stop=body.stop)

    async def _list(self, caller: Caller, _body: ListCheckpoints) -> CheckpointList:
        rows = await asyncio.to_thread(self._store.rows)
        mine = tuple(row for row in rows if caller.is_root or row.user == caller.user)
        return CheckpointList(node=self._node, rows=mine)

    async def _remove(self, caller: Caller, body: RemoveCheckpoint) -> Done:
        rows = await asyncio.to_thread(self._store.rows)
        row = next((row for row in rows if row.name == body.name), None)
        if row is None:
            raise CheckpointUnknown(name=body.name)
        if not caller.is_root and row.user != caller.user:
            deed = f"remove checkpoint {body.name}"
            raise NotPermitted(node=self._node, user=caller.user, deed=deed)
        await asyncio.to_thread(self._store.remove, body.name)
        return Done()

    async def _restore(self, caller: Caller, body: RestoreCheckpoint) -> JobRevived:
        self._check_node(body.destination)
        return await self._reviver.restore(caller, body)

    async def _clone(self, caller: Caller, body: CloneJob) -> JobRevived:
        job = self._asked(caller, body.gpid, body.start_ms)
        self._check_node(body.destination)
        return await self._cloner.clone(job, body)

    async def _leave(self, _caller: Caller, body: LeaveJob) -> Done:
        job = self._table.jobs.get(body.gpid)
        if job is not None and job.is_over and job.row.epoch < body.epoch:
            self._table.leave(job, body.node)
        return Done()

    def _asked(self, caller: Caller, gpid: int, start_ms: int) -> Job:
        job = owned_job(self._table, gpid, caller, self._node)
        if job.row.start_ms != start_ms:
            raise NoSuchProcess(gpid=gpid, detail="another job has its gpid")
        return job

    def _check_node(self, node: str) -> None:
        if node != self._node and node not in self._peers.names():
            raise NodeUnknown(node=node, known=", ".join(self._peers.names()))

    async def _sweep(self) -> None:
        """Removes checkpoints that were not to be kept, once their job has ended."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for row in await asyncio.to_thread(self._store.rows):
                if not row.kept and not row.problem and await self._has_ended(row):
                    try:
                        await asyncio.to_thread(self._store.remove, row.name)
                    except (SsiError, OSError) as exc:
                        _log.warning("event=not-removed name=%s reason=%s", row.name, exc)

    async def _has_ended(self, row: CheckpointRow) -> bool:
        """Whether a job ended by itself; one that is lost, or out of sight, may be wanted back."""
        job = self._table.jobs.get(row.gpid)
        if job is not None:
            return job.row.state is JobState.EXITED
        for node in [self._node, *self._peers.names()]:
            try:
                reply = await self._peers.ask(node, GetOwnership(gpid=row.gpid), timeout_s=5.0)
            except SsiError:
                return False
            assert isinstance(reply, Ownership), reply
            if reply.stage not in {"none", "moved"} and not reply.over:
                return False
        return True
