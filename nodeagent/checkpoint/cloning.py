"""A running job becomes two: its images go to some node as another job, and it goes on itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from nodeagent.checkpoint.delivery import Delivery, Parcel
from nodeagent.checkpoint.dumping import Dumper, Held, elsewhere
from nodeagent.checkpoint.revival import renewed
from nodeagent.job import Job
from nodeagent.jobtable import remove_tree
from nodeagent.migration.capability import Capability
from nodeagent.migration.plan import Item
from nodeagent.migration.survey import Survey
from ssi.model.checkpoint import CannotCheckpoint
from ssi.model.gpid import Gpid
from ssi.model.job import JobState
from ssi.protocol.checkpoints import CloneJob, JobRevived


class Cloner:
    """Makes copies of jobs of this node.

    Args:
        node: Its name.
        dumper: Dumps them.
        delivery: Brings the copies to their node.
        capability: What CRIU here can do.
        allocate: Gives a gpid that was never given before.
    """

    def __init__(
        self,
        node: str,
        dumper: Dumper,
        delivery: Delivery,
        capability: Capability,
        allocate: Callable[[], Gpid],
    ) -> None:
        self._node = node
        self._dumper = dumper
        self._delivery = delivery
        self._capability = capability
        self._allocate = allocate

    async def clone(self, job: Job, body: CloneJob) -> JobRevived:
        """Makes a copy; returns once it runs.

        Raises:
            CannotCheckpoint: Something stands in the way here; the job was not touched.
            CannotRestore: Something stands in the way there.
            SsiError: It was tried and came to nothing; the job runs on.
        """
        async with job.moving:
            began_s = time.monotonic()
            survey = await self._dumper.look(job)
            self._check_files(job, body, survey)
            blockers = elsewhere(job.row, body.destination, survey.files)
            if blockers:
                raise CannotCheckpoint(gpid=job.row.gpid, node=self._node, blockers=blockers)
            parcel = self._parcel(job, body, survey)
            async with self._delivery.leading(parcel):
                held = await self._dumper.hold(job, survey)
                try:
                    released_s = await self._deliver(job, parcel, held)
                finally:
                    if job.stage == "stopped":
                        await self._dumper.release(job)
                    remove_tree(held.images)
        row = msgspec.structs.replace(parcel.row, state=JobState.RUNNING)
        return JobRevived(
            row=row,
            total_ms=(time.monotonic() - began_s) * 1000,
            freeze_ms=(released_s - held.held_s) * 1000,
        )

    async def _deliver(self, job: Job, parcel: Parcel, held: Held) -> float:
        """The copy runs; when the job itself did again."""
        parcel.images, parcel.state = held.images, held.state
        parcel.files, parcel.sources = held.files, held.sources
        parcel.directories = held.directories
        await self._delivery.carry(parcel, held.files, frozen=True)
        # A file that both write must have the length that CRIU knows until the copy has it open.
        shared = parcel.row.node == self._node and any(item.writable for item in held.plan.files)
        released_s = time.monotonic() if shared else await self._dumper.release(job)
        await self._delivery.restore(parcel)
        if shared:
            released_s = await self._dumper.release(job)
        await self._delivery.resume(parcel)
        return released_s

    def _check_files(self, job: Job, body: CloneJob, survey: Survey) -> None:
        written: list[Item] = [item for item in survey.plan.files if item.writable]
        if body.destination != self._node or body.share_files or not written:
            return
        blockers = [
            f"it writes to {item.path}, and so would its copy (--share-files lets both)"
            for item in written
        ]
        raise CannotCheckpoint(gpid=job.row.gpid, node=self._node, blockers=blockers)

    def _parcel(self, job: Job, body: CloneJob, survey: Survey) -> Parcel:
        row, members = renewed(job.row, body.destination, job.membership.export(), self._allocate)
        return Parcel(
            name=f"a copy of job {job.row.gpid}",
            row=row,
            images=self._dumper.images,
            uid=survey.uid,
            gid=survey.gid,
            criu=self._capability.version,
            cpu=self._capability.cpu,
            memory_bytes=survey.memory_bytes,
            members=members,
            programs=survey.programs,
            files=survey.files,
            shared=tuple(item.path for item in survey.plan.shared),
            listening=survey.listening,
        )
