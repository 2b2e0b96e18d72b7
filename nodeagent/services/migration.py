"""Moves of jobs: asked for by users, led from here, received here, and settled."""

from __future__ import annotations

import asyncio
from pathlib import Path

from nodeagent.clientfiles import ClientFiles
from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.migration.arrival import Arrival
from nodeagent.migration.capability import Capability
from nodeagent.migration.destination import Destination
from nodeagent.migration.doubt import Doubt
from nodeagent.migration.intake import OfferLane, lane_for
from nodeagent.migration.source import Source
from nodeagent.peers import Peers
from nodeagent.services.jobs import JobService
from nodeagent.services.permission import owned_job
from nodeagent.services.table import TableService
from ssi.model.job import JobRow
from ssi.model.migration import Live
from ssi.protocol.migration import CheckMigration, JobMigrated, MigrateJob, MigrationChecked
from ssi.protocol.refusals import NodeUnknown, NoSuchProcess


class MigrationService:
    """Handlers for moves.

    Args:
        node: Name of this node.
        table: Its jobs.
        peers: Links to the others.
        processes: Its process table.
        jobs: Gives a job a shim.
        clients: Mounts files of machines that are no nodes.
        images: Directory for images, in memory.
        lane_for: Opens a lane for the images of an arrival.
    """

    def __init__(
        self,
        node: str,
        table: JobTable,
        peers: Peers,
        processes: TableService,
        jobs: JobService,
        clients: ClientFiles,
        images: Path,
        lane_for: OfferLane = lane_for,
    ) -> None:
        self._node = node
        self._table = table
        self._peers = peers
        self._images = images
        self._capability = Capability()
        self.doubt = Doubt(node, table, peers)
        self._source = Source(
            node,
            table,
            peers,
            self._capability,
            processes.job_rows,
            processes.pids_of,
            images,
            self.doubt.settle,
        )
        self._destination = Destination(
            node,
            table,
            peers,
            self._capability,
            images,
            jobs.open_shim,
            processes.observe,
            clients,
            lane_for,
        )
        self.doubt.source, self.doubt.destination = self._source, self._destination

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to moves."""
        dispatcher.serve(MigrateJob, self._migrate)
        dispatcher.serve(CheckMigration, self._check)
        self._source.lending.lender.register_handlers(dispatcher)
        self._destination.register_handlers(dispatcher)
        self.doubt.register_handlers(dispatcher)

    def adopt(self, tasks: asyncio.TaskGroup) -> None:
        """Takes over what an earlier agent left open, and looks after it in ``tasks``."""
        self._destination.adopt(self._table.at_barrier)
        self._table.at_barrier.clear()
        open_moves = {
            *(f"{arrival.row.gpid}-{arrival.row.epoch}" for arrival in self._arrivals()),
            *(
                f"{job.row.gpid}-{job.row.epoch + 1}"
                for job in self._table.living()
                if job.stage != "running"  # else nobody looks for what went ahead
            ),
        }
        for images in self._images.iterdir():
            if images.name not in open_moves:
                self._destination.clear(images)
        tasks.create_task(self.doubt.run())

    def arriving(self) -> list[JobRow]:
        """The jobs that are on their way here."""
        return [arrival.row for arrival in self._arrivals()]

    def _arrivals(self) -> list[Arrival]:
        return list(self._destination.arrivals.values())

    async def _migrate(self, caller: Caller, body: MigrateJob) -> JobMigrated:
        job = await self._asked(caller, body)
        return await self._source.move(job, body.destination, live_of(body.live))

    async def _check(self, caller: Caller, body: CheckMigration) -> MigrationChecked:
        job = await self._asked(caller, body)
        return await self._source.check(job, body.destination, live_of(body.live))

    async def _asked(self, caller: Caller, body: MigrateJob | CheckMigration) -> Job:
        """The job that is meant, if it is the caller's and the destination is a node.

        Raises:
            SsiError: It is not.
        """
        job: Job = owned_job(self._table, body.gpid, caller, self._node)
        if job.row.start_ms != body.start_ms:
            raise NoSuchProcess(gpid=body.gpid, detail="another job has its gpid")
        if body.destination != self._node and body.destination not in self._peers.names():
            raise NodeUnknown(node=body.destination, known=", ".join(self._peers.names()))
        await asyncio.to_thread(self._capability.refresh)
        return job


def live_of(word: str) -> Live | None:
    """How a move is to be made; what this version does not know, or nothing, is as suits best."""
    return Live(word) if word in set(Live) else None
