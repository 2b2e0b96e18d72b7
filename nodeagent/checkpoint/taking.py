"""A checkpoint is taken: the job is held, dumped to memory, let go, and its images are kept."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import suppress

from nodeagent.checkpoint.dumping import ASK_TIMEOUT_S, Dumper, Held
from nodeagent.checkpoint.ending import end_with_checkpoint
from nodeagent.checkpoint.manifest import VERSION, Image, Manifest
from nodeagent.checkpoint.store import Store, credentials_of
from nodeagent.job import Job
from nodeagent.jobtable import remove_tree
from nodeagent.mechanism.crimage import BadImage
from nodeagent.migration.capability import Capability
from nodeagent.migration.survey import Survey
from nodeagent.shim.messages import Commit, Ok
from nodeagent.shimlink import ShimGone
from ssi.model.checkpoint import CannotCheckpoint, CheckpointFailed
from ssi.protocol.checkpoints import CheckpointMade

_log = logging.getLogger(__name__)


class Taker:
    """Takes checkpoints of jobs of this node.

    Args:
        node: Its name.
        dumper: Dumps them.
        store: Keeps them.
        capability: What CRIU here can do.
    """

    def __init__(self, node: str, dumper: Dumper, store: Store, capability: Capability) -> None:
        self._node = node
        self._dumper = dumper
        self._store = store
        self._capability = capability

    async def take(self, job: Job, name: str, *, stop: bool) -> CheckpointMade:
        """Keeps a job as it is now, under a name, or under one that is made up.

        Raises:
            CannotCheckpoint: Something stands in the way; the job was not touched.
            CheckpointFailed: Nothing is kept; the job runs on.
        """
        async with job.moving:
            began_s = time.monotonic()
            survey = await self._look(job, name)
            held = await self._dumper.hold(job, survey)
            try:
                released_s = began_s
                if not stop:
                    released_s = await self._dumper.release(job)
                manifest = await self._keep(job, name, survey, held, kept=bool(name) or stop)
                if stop:
                    await self._end(job)
                    released_s = time.monotonic()
            finally:
                if job.stage == "stopped":
                    await self._dumper.release(job)
                if job.stage == "running":
                    job.destination = ""
                remove_tree(held.images)
        return CheckpointMade(
            row=manifest.as_row(),
            total_ms=(time.monotonic() - began_s) * 1000,
            freeze_ms=(released_s - held.held_s) * 1000,
        )

    async def _look(self, job: Job, name: str) -> Survey:
        if name:
            self._store.check_free(name)
        survey = await self._dumper.look(job)
        blockers = await asyncio.to_thread(self._store.obstacles, job.row.user, survey.memory_bytes)
        if blockers:
            raise CannotCheckpoint(gpid=job.row.gpid, node=self._node, blockers=blockers)
        return survey

    async def _keep(
        self, job: Job, name: str, survey: Survey, held: Held, *, kept: bool
    ) -> Manifest:
        row, members = job.row, job.membership.export()

        def complete(images: tuple[Image, ...]) -> Manifest:
            return Manifest(
                version=VERSION,
                name=name or self._store.free_name(f"{row.gpid}-{row.epoch}"),
                node=self._node,
                row=row,
                made_ms=int(time.time() * 1000),
                kept=kept,
                uid=survey.uid,
                gid=survey.gid,
                credentials=credentials_of(held.images),
                criu=self._capability.version,
                cpu=self._capability.cpu,
                kernel=os.uname().release,
                images=images,
                state=held.state,
                members=members,
                programs=survey.programs,
                files=held.files,
                directories=held.directories,
                shared=tuple(item.path for item in held.plan.shared),
                listening=survey.listening,
                memory_bytes=survey.memory_bytes,
            )

        try:
            return await asyncio.to_thread(self._store.keep, held.images, complete)
        except (OSError, BadImage) as exc:
            reason = str(exc)
            raise CheckpointFailed(gpid=row.gpid, node=self._node, reason=reason) from exc

    async def _end(self, job: Job) -> None:
        """The job ends; an agent after this one finds out by its destination, which is here."""
        job.destination = self._node
        await job.note()
        with suppress(ShimGone):  # the shim died at this moment, and the job with it
            await job.shim().ask(Commit(), Ok, ASK_TIMEOUT_S)
        job.stage = "committed"
        await end_with_checkpoint(job)
        _log.info("event=ended-by-checkpoint gpid=%d", job.row.gpid)
