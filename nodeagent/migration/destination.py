"""The receiving side of a move: look, take in, restore up to the barrier, let run when told."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nodeagent.dispatch import Audience, Caller, Dispatcher
from nodeagent.job import Job
from nodeagent.jobtable import JobTable, remove_tree
from nodeagent.mechanism import cgroup
from nodeagent.migration.capability import Capability
from nodeagent.migration.landing import Landing, undo_journal
from nodeagent.migration.packing import Packer
from nodeagent.migration.reception import obstacles
from nodeagent.services.freezer import refreeze
from nodeagent.shim.messages import Ok, Ready, Release, Restore, Resume, Resumed
from nodeagent.shimlink import ShimGone, ShimSilent
from ssi.model.checkpoint import RestoreFailed
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState
from ssi.protocol.message import Done
from ssi.protocol.migration import (
    AbandonMigration,
    CompareFiles,
    FilesCompared,
    JobRestored,
    MigrationPrepared,
    Piece,
    PrepareMigration,
    PutPieces,
    RestoreJob,
    ResumeJob,
)
from ssi.protocol.refusals import NoSuchProcess, NotPermitted

_log = logging.getLogger(__name__)

RESTORE_TIMEOUT_S: Final = 600.0
JOURNAL: Final = ".landing"
"""Name of a landing's journal, beside the images; no image may have such a name."""

IDLE_LIMIT_S: Final = 60.0
"""An arrival that hears nothing for so long asks its source how things stand."""


@dataclass(slots=True, kw_only=True)
class Arrival:
    """A job on its way to this node.

    Attributes:
        row: As it will be here.
        source: The node that leads.
        images: Directory of its images, in memory.
        landing: Its files.
        checksums: Running CRC-32 and size of each image.
        job: Once it stands at the barrier.
        heard_at_s: When the source last said something.
        writing: Held while pieces are written.
    """

    row: JobRow
    source: str
    images: Path
    landing: Landing
    checksums: dict[str, tuple[int, int]] = field(default_factory=dict)
    job: Job | None = None
    heard_at_s: float = field(default_factory=time.monotonic)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Destination:
    """Handlers for the nodes that send jobs here.

    Args:
        node: Name of this node.
        table: Its jobs.
        capability: What CRIU here can do.
        images: Directory for images, in memory.
        open_shim: Gives a job a shim.
        observe: Reads a job's processes once, so that they keep their names.
    """

    def __init__(
        self,
        node: str,
        table: JobTable,
        capability: Capability,
        images: Path,
        open_shim: Callable[[Job], Awaitable[None]],
        observe: Callable[[Job], None],
    ) -> None:
        self.arrivals: dict[int, Arrival] = {}
        self.images = images
        self._node = node
        self._table = table
        self._capability = capability
        self._packer = Packer()
        self._open_shim = open_shim
        self._observe = observe

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what a source asks."""
        dispatcher.serve(PrepareMigration, self._prepare, Audience.NODE)
        dispatcher.serve(CompareFiles, self._compare, Audience.NODE)
        dispatcher.serve(PutPieces, self._put, Audience.NODE)
        dispatcher.serve(RestoreJob, self._restore, Audience.NODE)
        dispatcher.serve(ResumeJob, self._resume, Audience.NODE)
        dispatcher.serve(AbandonMigration, self._abandon, Audience.NODE)

    def adopt(self, jobs: list[Job]) -> None:
        """Takes over jobs that an earlier agent left at the barrier; doubt settles them."""
        for job in jobs:
            self.arrivals[job.row.gpid] = Arrival(
                row=job.row,
                source=job.source,
                images=self.images / f"{job.row.gpid}-{job.row.epoch}",
                landing=self._landing(job.row, placed=job.carried),
                job=job,
                heard_at_s=float("-inf"),
            )

    def clear(self, images: Path) -> None:
        """Removes the images of a move that came to nothing, and what it had brought."""
        undo_journal(images / JOURNAL)
        remove_tree(images)

    def _landing(self, row: JobRow, placed: Sequence[str] = ()) -> Landing:
        journal = self.images / f"{row.gpid}-{row.epoch}" / JOURNAL
        return Landing(node=self._node, gpid=row.gpid, journal=journal, placed=list(placed))

    async def _prepare(self, caller: Caller, body: PrepareMigration) -> MigrationPrepared:
        await asyncio.to_thread(self._capability.refresh)
        gpid = body.job.gpid
        blockers = await asyncio.to_thread(obstacles, body, self._capability, self.images)
        standing = self._table.jobs.get(gpid)
        if standing is not None and not standing.is_over:
            blockers.append("it has a job of that gpid already")
        known = self.arrivals.get(gpid)
        if known is not None and known.job is not None:
            blockers.append("an earlier move of it to here is not settled yet")
        if not blockers and not body.dry_run:
            if known is not None:
                await self.drop(gpid)
            images = self.images / f"{gpid}-{body.job.epoch}"
            self.clear(images)
            images.mkdir(mode=0o700)
            self.arrivals[gpid] = Arrival(
                row=body.job,
                source=caller.node,
                images=images,
                landing=self._landing(body.job),
            )
        return MigrationPrepared(blockers=tuple(blockers), unpacks=True)

    async def _compare(self, caller: Caller, body: CompareFiles) -> FilesCompared:
        arrival = self._arrival(caller, body.gpid, body.epoch)
        directories = [meta for meta in body.files if meta.kind == "directory"]
        arrival.landing.make_directories(directories)
        missing = await asyncio.to_thread(
            lambda: tuple(
                ()
                if meta.kind == "directory"
                else arrival.landing.missing_chunks(meta, frozen=body.frozen)
                for meta in body.files
            )
        )
        return FilesCompared(missing=missing)

    async def _put(self, caller: Caller, body: PutPieces) -> Done:
        arrival = self._arrival(caller, body.gpid, body.epoch)
        async with arrival.writing:  # in the order in which they came
            await asyncio.to_thread(self._write, arrival, body.pieces)
        return Done()

    def _write(self, arrival: Arrival, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            data = self._packer.unpack(piece)
            if piece.file.startswith("/"):
                arrival.landing.put(piece.file, piece.offset, data)
            else:
                self._put_image(arrival, piece.file, piece.offset, data)

    def _put_image(self, arrival: Arrival, name: str, offset: int, data: bytes) -> None:
        checksum, size = arrival.checksums.get(name, (0, 0))
        if "/" in name or name.startswith(".") or offset != size:
            raise RestoreFailed(reason=f"image {name!r} arrived out of order")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(arrival.images / name, flags, 0o600)
            try:
                os.pwrite(descriptor, data, offset)
            finally:
                os.close(descriptor)
        except OSError as exc:
            raise RestoreFailed(reason=f"image {name}: {exc.strerror}") from exc
        arrival.checksums[name] = (zlib.crc32(data, checksum), size + len(data))

    async def _restore(self, caller: Caller, body: RestoreJob) -> JobRestored:
        arrival = self._arrival(caller, body.job.gpid, body.job.epoch)
        for name, size, checksum in body.images:
            if arrival.checksums.get(name) != (checksum, size):
                raise RestoreFailed(reason=f"image {name} is not what the source sent")
        try:
            arrival.landing.make_directories(body.directories)
            standing = self._table.jobs.get(body.job.gpid)
            if standing is not None and standing.is_over:
                self._table.forget(standing)  # it ended here, and comes back from a checkpoint
            job = self._table.make(body.job)
            job.carried = arrival.landing.place(body.files)
            ready = await self._restore_shim(arrival, job, body)
        except (SsiError, OSError) as exc:
            await self.drop(body.job.gpid)
            if isinstance(exc, OSError):
                raise RestoreFailed(reason=str(exc)) from exc
            raise
        return JobRestored(restore_ms=ready.restore_ms)

    async def _restore_shim(self, arrival: Arrival, job: Job, body: RestoreJob) -> Ready:
        arrival.job = job
        await self._open_shim(job)
        if body.revived:
            await job.note()  # else an agent after this one would take it for the job that it was
        request = Restore(
            criu=self._capability.path,
            images=str(arrival.images),
            state=body.shim_state,
            cgroup=cgroup.make_for_job(job.row.gpid),
            epoch=body.job.epoch,
            logs=str(job.record) if body.revived else "",
            frozen=body.job.frozen,
            revived=body.revived,
        )
        ready = await job.shim().ask(request, Ready, RESTORE_TIMEOUT_S)
        job.stage, job.root_pid, job.source = "ready", ready.root_pid, arrival.source
        job.membership.adopt(body.members)
        self._observe(job)
        job.save()
        await job.note()
        return ready

    async def _resume(self, caller: Caller, body: ResumeJob) -> Done:
        job = self._table.jobs.get(body.gpid)
        if job is not None and job.row.epoch == body.epoch:
            return Done()  # told twice: it runs
        await self.run(self._arrival(caller, body.gpid, body.epoch))
        return Done()

    async def run(self, arrival: Arrival) -> None:
        """The source's copy is gone: the job runs here.

        Raises:
            ShimGone: Its shim died at the barrier, and the job with it.
        """
        job = arrival.job
        if job is None:
            raise NoSuchProcess(gpid=arrival.row.gpid, detail="it does not stand at the barrier")
        await job.shim().ask(Resume(), Resumed, 30.0)
        self.arrivals.pop(arrival.row.gpid, None)
        job.stage, job.source = "running", ""
        job.become(JobState.RUNNING)
        refreeze(job)
        self._table.add(job)
        self._table.remove_later(arrival.images)
        with suppress(ShimGone, ShimSilent):
            await job.note()

    async def _abandon(self, caller: Caller, body: AbandonMigration) -> Done:
        arrival = self.arrivals.get(body.gpid)
        if arrival is not None and arrival.row.epoch == body.epoch:
            self._check_source(caller, arrival)
            await self.drop(body.gpid)
        return Done()

    async def drop(self, gpid: int) -> None:
        """Gives up an arrival: its copy at the barrier, its images and its files."""
        arrival = self.arrivals.pop(gpid, None)
        if arrival is None:
            return
        job = arrival.job
        if job is not None:
            if job.link is not None:
                with suppress(SsiError):
                    await job.link.ask(Release(), Ok, 10.0)
                job.link.close()
            remove_tree(job.sockets)
            remove_tree(job.record)
            cgroup.remove_of_job(gpid)
        arrival.landing.undo()
        remove_tree(arrival.images)
        _log.info("event=arrival-dropped gpid=%d", gpid)

    def _arrival(self, caller: Caller, gpid: int, epoch: int) -> Arrival:
        arrival = self.arrivals.get(gpid)
        if arrival is None or arrival.row.epoch != epoch:
            raise NoSuchProcess(gpid=gpid, detail=f"{self._node} expects no such job")
        self._check_source(caller, arrival)
        arrival.heard_at_s = time.monotonic()
        return arrival

    def _check_source(self, caller: Caller, arrival: Arrival) -> None:
        if caller.node != arrival.source:
            deed = f"speak for the move of job {arrival.row.gpid}"
            raise NotPermitted(node=self._node, user=caller.node, deed=deed)
