"""The receiving side of a move: look, take in, restore up to the barrier, let run when told."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.clientfiles import ClientFiles
from nodeagent.dispatch import Audience, Caller, Dispatcher
from nodeagent.freezing import refreeze
from nodeagent.job import Job
from nodeagent.jobfiles import file_obstacles, files_on
from nodeagent.jobtable import JobTable, remove_tree, until_cgroup_is_gone
from nodeagent.mechanism import cgroup
from nodeagent.mechanism.allocator import ALLOCATOR
from nodeagent.migration.arrival import Arrival, end
from nodeagent.migration.capability import Capability
from nodeagent.migration.carried import copies_among
from nodeagent.migration.exchanged import check_opened, expected_of
from nodeagent.migration.hold import Point, reach
from nodeagent.migration.intake import OfferLane, check_images, take_in
from nodeagent.migration.landing import Landing, undo_landing
from nodeagent.migration.opening import Opening
from nodeagent.migration.packing import Packer
from nodeagent.migration.pagerelay import borrow
from nodeagent.migration.reception import look, room_for_images
from nodeagent.migration.roundimages import link_dump
from nodeagent.migration.transfer import QUIET_S
from nodeagent.peers import Peers
from nodeagent.shim.messages import (
    Account,
    GetStatus,
    Ready,
    Restore,
    Resume,
    Resumed,
    Status,
)
from nodeagent.shimlink import ShimGone
from ssi.model.errors import SsiError
from ssi.model.job import JobState
from ssi.model.shim import RestoreFailed, WrongStage
from ssi.protocol.message import Done
from ssi.protocol.migration import (
    AbandonMigration,
    CompareFiles,
    FilesCompared,
    JobRestored,
    MigrationPrepared,
    PrepareMigration,
    PutPieces,
    RestoreJob,
    ResumeJob,
)
from ssi.protocol.refusals import NoSuchProcess, NotPermitted

_log = logging.getLogger(__name__)

RESTORE_TIMEOUT_S: Final = 600.0
PAGES_SOCKET: Final = "pages.sock"
"""Beside the shim's own socket: where CRIU asks for memory that comes later."""

IDLE_LIMIT_S: Final = 60.0
"""Mere bytes of a job, whose source has been silent for so long, are given up."""

_CLEARED_POLL_S: Final = 0.02


class Destination:
    """Handlers for the nodes that send jobs here.

    Args:
        node: Name of this node.
        table: Its jobs.
        peers: Links to the others.
        capability: What CRIU here can do.
        images: Directory for images, in memory.
        open_shim: Gives a job a shim.
        observe: Reads a job's processes once, so that they keep their names.
        clients: Mounts files of machines that are no nodes.
        lane_for: Opens one that an arrival's images can take.
    """

    def __init__(
        self,
        node: str,
        table: JobTable,
        peers: Peers,
        capability: Capability,
        images: Path,
        open_shim: Callable[[Job], Awaitable[None]],
        observe: Callable[[Job], None],
        clients: ClientFiles,
        lane_for: OfferLane,
    ) -> None:
        self.arrivals: dict[int, Arrival] = {}
        self.images = images
        self._clearing: set[int] = set()
        self._node = node
        self._table = table
        self._peers = peers
        self._capability = capability
        self._packer = Packer()
        self._opening = Opening(table, open_shim)
        self._observe = observe
        self._clients = clients
        self._lane_for = lane_for

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
            gpid, images = job.row.gpid, self.images / f"{job.row.gpid}-{job.row.epoch}"
            self.arrivals[gpid] = Arrival(
                row=job.row,
                source=job.source,
                images=images,
                landing=Landing(self._node, gpid, images, list(job.carried)),
                job=job,
                heard_at_s=float("-inf"),
            )

    def clear(self, images: Path) -> None:
        """Removes the images of a move that came to nothing, and what it had brought."""
        undo_landing(images)
        remove_tree(images)

    async def _prepare(self, caller: Caller, body: PrepareMigration) -> MigrationPrepared:
        await asyncio.to_thread(self._capability.refresh)
        gpid = body.job.gpid
        (blockers, present), unseen = await asyncio.gather(
            asyncio.to_thread(look, body, self._capability, self.images),
            file_obstacles(self._node, body.job, self._clients),
        )
        blockers += unseen
        standing = self._table.jobs.get(gpid)
        if standing is not None and not standing.is_over:
            blockers.append("it has a job of that gpid already")
        known = self.arrivals.get(gpid)
        if (known is not None and known.job is not None) or gpid in self._clearing:
            blockers.append("an earlier move of it to here is not settled yet")
        lane = None
        if not blockers and not body.dry_run:
            if known is not None:
                await self.drop(gpid)
            images = self.images / f"{gpid}-{body.job.epoch}"
            self.clear(images)
            images.mkdir(mode=0o700)
            self.arrivals[gpid] = arrival = Arrival(
                row=body.job,
                source=caller.node,
                images=images,
                landing=Landing(self._node, gpid, images),
                uid=body.uid,
                programs=body.programs,
                shared=body.shared,
            )
            arrival.lane = self._lane_for(arrival, self._packer) if body.lane else None
            if standing is None:
                user, uid, gid = body.job.user, body.uid, body.gid
                account = Account(user=user, uid=uid, gid=gid, groups=())
                self._opening.begin(arrival, self._capability.path, account)
            lane = arrival.lane.offer if arrival.lane is not None else None
            # Not any more where an earlier move, given up just now, had brought it.
            present = [path for path in present if os.path.lexists(path)]
            await reach(Point.DESTINATION_PREPARE, gpid)
        return MigrationPrepared(
            blockers=tuple(blockers),
            unpacks=True,
            lane=lane,
            standing=tuple(present),
            room_bytes=room_for_images(self.images),
        )

    async def _compare(self, caller: Caller, body: CompareFiles) -> FilesCompared:
        arrival = self._arrival(caller, body.gpid, body.epoch)
        directories = [meta for meta in body.files if meta.kind == "directory"]
        async with arrival.busy:
            self._check_current(arrival)
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
            self._check_current(arrival)
            await asyncio.to_thread(take_in, arrival, self._packer, body.pieces)
        return Done()

    async def _restore(self, caller: Caller, body: RestoreJob) -> JobRestored:
        arrival = self._arrival(caller, body.job.gpid, body.job.epoch)
        if body.by_lane and arrival.lane is not None:
            await arrival.lane.wait()
        async with arrival.busy:
            self._check_current(arrival)
            try:
                check_images(arrival, body.images)
                arrival.landing.make_directories(body.directories)
                link_dump(arrival.images, (name for name, _size, _checksum in body.images))
                job = await self._opening.job_of(arrival, body.job)
                job.carried = arrival.landing.place(body.files)
                job.copies = copies_among(job.carried, body.files)
                await reach(Point.DESTINATION_RESTORE, body.job.gpid)
                ready = await self._restore_shim(arrival, job, body)
                expected = expected_of(arrival, job, body)
                await asyncio.to_thread(check_opened, ready.root_pid, expected)
            except (SsiError, OSError) as exc:
                await self._discard(arrival)
                if isinstance(exc, OSError):
                    raise RestoreFailed(reason=str(exc)) from exc
                raise
        # While the source kills its copy: the job stands still for each moment until the reply.
        asyncio.get_running_loop().call_soon(self._name_processes, arrival)
        await reach(Point.DESTINATION_READY, body.job.gpid)
        return JobRestored(restore_ms=ready.restore_ms, same=tuple(arrival.landing.same))

    async def _restore_shim(self, arrival: Arrival, job: Job, body: RestoreJob) -> Ready:
        job.stage = "restoring"
        job.membership.adopt(body.members)
        # For an agent after this one, also where the images hold an older note. It is in the shim's
        # socket before the request is; that the shim has read it, nobody has to wait for.
        self._table.begin(job.try_to_note())
        await asyncio.sleep(0)
        request = Restore(
            criu=self._capability.path,
            images=str(arrival.images),
            state=body.shim_state,
            cgroup=cgroup.make_for_job(job.row.gpid),
            epoch=body.job.epoch,
            logs=str(job.record) if body.revived else "",
            frozen=body.job.frozen,
            revived=body.revived,
            files=files_on(self._node, job.row.files, body.followed),
        )
        if body.lazy:
            pages = job.sockets / PAGES_SOCKET
            await borrow(self._peers, job, arrival.source, pages)
            request = msgspec.structs.replace(request, pages=str(pages))
        ready = await job.shim().ask(request, Ready, RESTORE_TIMEOUT_S)
        job.stage, job.root_pid = "ready", ready.root_pid
        return ready

    def _name_processes(self, arrival: Arrival) -> None:
        """Its processes keep their names, if they are looked at before they run."""
        if arrival.job is not None and arrival.is_ready and not arrival.named:
            arrival.named = True
            self._observe(arrival.job)

    async def _resume(self, caller: Caller, body: ResumeJob) -> Done:
        if not self._runs(body.gpid, body.epoch):
            await self.run(self._arrival(caller, body.gpid, body.epoch))
        return Done()

    def _runs(self, gpid: int, epoch: int) -> bool:
        job = self._table.jobs.get(gpid)
        return job is not None and job.row.epoch == epoch

    async def run(self, arrival: Arrival) -> None:
        """The source's copy is gone: the job runs here. Told twice, it is done once.

        Raises:
            SsiError: It does not run, and what is left of it is gone; or nobody knows, as its shim
                did not say so, and the same may be asked again.
        """
        async with arrival.busy:
            if self._runs(arrival.row.gpid, arrival.row.epoch):
                return
            self._check_current(arrival)
            job = arrival.job
            if job is None or not arrival.is_ready:
                detail = "it does not stand at the barrier"
                raise NoSuchProcess(gpid=arrival.row.gpid, detail=detail)
            await reach(Point.DESTINATION_RESUME, arrival.row.gpid)
            self._name_processes(arrival)
            await self._own(arrival, job)
            await self._let_run(arrival, job)
            await reach(Point.DESTINATION_RUNS, arrival.row.gpid)
            self._take_in(arrival, job)

    async def _own(self, arrival: Arrival, job: Job) -> None:
        """From here on a shim that is gone means that the job is lost, for it may have run."""
        try:
            if job.shim().gone.is_set():
                raise ShimGone(path=str(job.sockets), reason="it died at the barrier")
            job.row = msgspec.structs.replace(job.row, node=self._node)
            job.save()
            arrival.landing.keep()
        except (OSError, ShimGone) as exc:
            await self._discard(arrival)
            if isinstance(exc, OSError):
                raise RestoreFailed(reason=str(exc)) from exc
            raise

    async def _let_run(self, arrival: Arrival, job: Job) -> None:
        """Asks the shim, and where it refuses, whether anything is left to be let run."""
        try:
            await job.shim().ask(Resume(), Resumed, 30.0)
        except ShimGone:
            self.arrivals.pop(arrival.row.gpid, None)
            job.stage = "running"
            self._table.add(job)
            remove_tree(arrival.images)
            raise
        except (RestoreFailed, WrongStage):
            status = await job.shim().ask(GetStatus(), Status, 5.0)
            if status.stage == "empty" and not status.doing:
                await self._discard(arrival)
            raise

    def _take_in(self, arrival: Arrival, job: Job) -> None:
        self.arrivals.pop(arrival.row.gpid, None)
        job.stage, job.source = "running", ""
        job.become(JobState.RUNNING)
        refreeze(job)
        self._table.add(job)
        self._table.remove_later(arrival.images)
        asyncio.get_running_loop().call_later(QUIET_S, ALLOCATOR.give_back)
        self._table.begin(job.try_to_note())

    async def _abandon(self, caller: Caller, body: AbandonMigration) -> Done:
        arrival = self.arrivals.get(body.gpid)
        if arrival is not None and arrival.row.epoch == body.epoch:
            self._check_source(caller, arrival)
            await reach(Point.DESTINATION_DROP, body.gpid)
            await self.drop(body.gpid)
        while body.gpid in self._clearing:  # noqa: ASYNC110 - by whoever found that it failed
            await asyncio.sleep(_CLEARED_POLL_S)
        return Done()

    async def drop(self, gpid: int) -> None:
        """Gives up an arrival: its copy at the barrier, its images and its files."""
        arrival = self.arrivals.get(gpid)
        if arrival is None:
            return
        async with arrival.busy:
            if self.arrivals.get(gpid) is arrival:
                await self._discard(arrival)

    async def _discard(self, arrival: Arrival) -> None:
        gpid = arrival.row.gpid
        self.arrivals.pop(gpid, None)
        self._clearing.add(gpid)
        try:
            with suppress(SsiError, OSError):  # then it has no shim, or none that is known
                await arrival.opened()
            if arrival.job is not None:
                await end(arrival.job)
                await until_cgroup_is_gone(gpid)
            if arrival.lane is not None:
                await arrival.lane.close()
            async with arrival.writing:
                arrival.landing.undo()
                remove_tree(arrival.images)
        finally:
            self._clearing.discard(gpid)
            ALLOCATOR.give_back()
        _log.info("event=arrival-dropped gpid=%d", gpid)

    def _arrival(self, caller: Caller, gpid: int, epoch: int) -> Arrival:
        arrival = self.arrivals.get(gpid)
        if arrival is None or arrival.row.epoch != epoch:
            raise NoSuchProcess(gpid=gpid, detail=f"{self._node} expects no such job")
        self._check_source(caller, arrival)
        arrival.heard_at_s = time.monotonic()
        return arrival

    def _check_current(self, arrival: Arrival) -> None:
        """It was not given up while somebody waited for it."""
        if self.arrivals.get(arrival.row.gpid) is not arrival:
            raise NoSuchProcess(gpid=arrival.row.gpid, detail="its move was given up")

    def _check_source(self, caller: Caller, arrival: Arrival) -> None:
        if caller.node != arrival.source:
            deed = f"speak for the move of job {arrival.row.gpid}"
            raise NotPermitted(node=self._node, user=caller.node, deed=deed)
