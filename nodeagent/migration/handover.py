"""From a job's freezing here to where it stands at the destination's barrier."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from nodeagent.freezing import make_answer
from nodeagent.job import Job
from nodeagent.jobtable import make_directory
from nodeagent.migration.capability import Capability
from nodeagent.migration.carried import is_mere_copy
from nodeagent.migration.describe import describe_directory, describe_parents
from nodeagent.migration.hold import Point, reach
from nodeagent.migration.images import ImageManifest
from nodeagent.migration.lending import Lending
from nodeagent.migration.move import Move
from nodeagent.migration.preflight import LOOK_TIMEOUT_S, look_again
from nodeagent.migration.sending import Sending, send_files
from nodeagent.migration.survey import described
from nodeagent.migration.transfer import Courier
from nodeagent.peers import Peers
from nodeagent.shim.messages import Dump, Dumped
from ssi.model.job import JobState
from ssi.model.migration import CannotMigrate, Live
from ssi.protocol.migration import (
    CompareFiles,
    FileMeta,
    FilesCompared,
    JobRestored,
    RestoreJob,
)

_log = logging.getLogger(__name__)

DUMP_TIMEOUT_S: Final = 600.0
RESTORE_TIMEOUT_S: Final = 600.0
DUMP: Final = "dump"
"""The step that has nothing to undo at the destination."""


class HandOver:
    """Dumps jobs of this node, sends their images and has them restored.

    Args:
        peers: Links to the others.
        capability: What CRIU here can do.
        pids: Processes of a job that stands still.
        lending: Of the memory that comes later.
    """

    def __init__(
        self,
        peers: Peers,
        capability: Capability,
        pids: Callable[[Job], list[int]],
        lending: Lending,
    ) -> None:
        self._peers = peers
        self._courier = Courier(peers)
        self._capability = capability
        self._pids = pids
        self._lending = lending

    async def run(self, move: Move) -> None:
        """Returns once the job is restored up to the barrier; ``move.step`` tells how far it came.

        Raises:
            ExceptionGroup: Of an SsiError or OSError: it came to nothing, or the job was killed.
        """
        job = move.job
        move.step, move.frozen_s = DUMP, time.monotonic()
        async with asyncio.TaskGroup() as watching:
            if job.is_over:
                raise refused(move, ["it has ended"])
            async with job.stopping:
                job.become(JobState.MIGRATING)
            await job.note()
            make_answer(job)
            await reach(Point.SOURCE_DUMP, move.row.gpid)
            if not move.rounds:
                make_directory(move.images)
            sending = Sending(self._courier, move)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(sending.run())
                try:
                    dumped = await self._dump(move)
                    written_s = time.monotonic()
                    killed = watching.create_task(_until_killed(move))
                    sending.reader.written.set()  # the rest of them leaves beside the files
                    move.step = "files"
                    await reach(Point.SOURCE_TRANSFER, move.row.gpid)
                    await self._carry_rest(move)
                except BaseException:
                    sending.reader.give_up()
                    raise
                move.step = "images"
            sending.check()
            _log.info("event=images-sent gpid=%d by_lane=%s", job.row.gpid, sending.by_lane)
            move.send_ms = (time.monotonic() - written_s) * 1000
            manifest = sending.reader.manifest
            move.image_bytes = manifest.size_bytes
            if move.live is Live.POST:
                self._lending.offer(move, self._pids(job))
            move.step = "restore"
            await reach(Point.SOURCE_RESTORE, move.row.gpid)
            restored = await self._restore(move, dumped, manifest, by_lane=sending.by_lane)
            written = (item.path for item in move.plan.files if item.writable)
            # What an earlier move brought and the job has closed since may be its result: it stays.
            still = (p for p in job.carried if p in move.files or is_mere_copy(p, job.copies))
            job.carried = sorted({*still, *written} - {*restored.same})
            job.identities = {item.path: item.identity for item in move.plan.files}
            await job.note()
            killed.cancel()

    async def carry(self, move: Move, metas: Sequence[FileMeta], *, frozen: bool) -> None:
        """Sends what the destination lacks of these files."""
        if not metas:
            return
        gpid, epoch = move.key
        parents = describe_parents([meta.path for meta in metas])
        files = (*parents, *metas)
        request = CompareFiles(gpid=gpid, epoch=epoch, files=files, frozen=frozen)
        compared = await self._peers.ask(move.destination, request, timeout_s=LOOK_TIMEOUT_S)
        assert isinstance(compared, FilesCompared), compared
        move.files.update({meta.path: meta for meta in metas})
        wanted = zip(metas, compared.missing[-len(metas) :], strict=True)
        move.carried += await send_files(self._courier, move, list(wanted), frozen=frozen)

    async def _carry_rest(self, move: Move) -> None:
        """Sends what changed of the files since they were sent.

        Only now does nothing change any more: what was opened since the plan was made is seen here.
        """
        metas = await asyncio.to_thread(look_again, move, self._pids(move.job))
        if move.plan.blockers:
            raise refused(move, move.plan.blockers)
        await self.carry(move, metas, frozen=True)

    async def _dump(self, move: Move) -> Dumped:
        criu, lazy = self._capability.path, move.live is Live.POST
        request = Dump(criu=criu, images=str(move.images), lazy=lazy, parent=move.parent)
        dumped = await move.job.shim().ask(request, Dumped, DUMP_TIMEOUT_S)
        move.job.stage = "stopped"
        move.dump_ms = dumped.dump_ms
        return dumped

    async def _restore(
        self, move: Move, dumped: Dumped, manifest: ImageManifest, *, by_lane: bool
    ) -> JobRestored:
        paths = [item.path for item in (*move.plan.files, *move.plan.directories)]
        directories = [
            *describe_parents(paths),
            *(describe_directory(item) for item in move.plan.directories),
        ]
        request = RestoreJob(
            job=move.row,
            source=move.job.row.node,
            shim_state=dumped.state,
            images=(*move.ahead.entries, *manifest.entries),
            members=move.job.membership.export(),
            files=tuple(move.files.values()),
            directories=tuple(directories),
            lazy=move.live is Live.POST,
            followed=described(describe_directory, move.plan.followed),
            by_lane=by_lane,
        )
        restored = await self._peers.ask(move.destination, request, timeout_s=RESTORE_TIMEOUT_S)
        assert isinstance(restored, JobRestored), restored
        move.restore_ms = restored.restore_ms
        return restored


async def _until_killed(move: Move) -> None:
    """Waits for the end of a job that stands still and so cannot show it.

    Raises:
        CannotMigrate: It has come.
    """
    await move.job.doomed.wait()
    raise refused(move, ["it was killed"])


def refused(move: Move, blockers: Sequence[str]) -> CannotMigrate:
    """The error that tells what stands in the way of a move."""
    return CannotMigrate(gpid=move.row.gpid, destination=move.destination, blockers=list(blockers))
