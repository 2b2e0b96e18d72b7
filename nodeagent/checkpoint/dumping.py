"""A running job's images, and the job goes on: held by the freezer meanwhile, so it cannot notice.

Where there is no freezer of cgroups version 2, CRIU stops it by signals instead, as for a move.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.freezing import hold_job, thaw_job
from nodeagent.job import Job
from nodeagent.jobtable import remove_tree, stage_of
from nodeagent.mechanism import cgroup
from nodeagent.mechanism.openfiles import read_open_things
from nodeagent.migration.capability import Capability
from nodeagent.migration.describe import describe_directory, describe_file, description_of
from nodeagent.migration.plan import Item, Plan, named_pipes
from nodeagent.migration.survey import Survey, described, plan_of, survey_job
from nodeagent.shim.messages import Dump, Dumped, GetStatus, Ok, Status, Thaw
from ssi.model.checkpoint import CannotCheckpoint, CheckpointFailed
from ssi.model.client import is_client
from ssi.model.errors import SsiError
from ssi.model.job import JobRow
from ssi.model.process import ProcessRow
from ssi.model.shim import DumpFailed
from ssi.protocol.migration import FileMeta
from ssi.protocol.refusals import JobMoved

_log = logging.getLogger(__name__)

DUMP_TIMEOUT_S: Final = 600.0
ASK_TIMEOUT_S: Final = 20.0
RESERVE_BYTES: Final = 64 * 1024 * 1024
"""Left free where images lie in memory."""


@dataclass(slots=True, kw_only=True)
class Held:
    """A job that is dumped and does not run.

    Attributes:
        images: Directory, in memory.
        state: Of its shim.
        plan: What it holds, as it was dumped.
        files: Its data files, as they were then.
        sources: Through what each of them can be read.
        held_s: When it was stopped, by the monotonic clock.
    """

    images: Path
    state: bytes
    plan: Plan
    files: tuple[FileMeta, ...]
    directories: tuple[FileMeta, ...]
    sources: dict[str, Item]
    held_s: float


class Dumper:
    """Dumps jobs of this node.

    Args:
        node: Its name.
        capability: What CRIU here can do.
        rows: Rows of all processes of jobs, freshly read.
        images: Directory for images, in memory.
    """

    def __init__(
        self,
        node: str,
        capability: Capability,
        rows: Callable[[], list[ProcessRow]],
        images: Path,
    ) -> None:
        self._node = node
        self._capability = capability
        self._rows = rows
        self.images = images

    async def look(self, job: Job) -> Survey:
        """What a job is; nothing is touched.

        Raises:
            CannotCheckpoint: It cannot be dumped, for reasons that are told by name.
            JobMoved: It has gone to another node.
        """
        if job.stage == "moved":  # while the caller waited for its lock
            raise JobMoved(gpid=job.row.gpid, node=job.destination)
        await asyncio.to_thread(self._capability.refresh)
        blockers = self._capability.blockers()
        if job.is_over or not job.shim_pid:
            blockers.append("it has ended")
        elif job.stage != "running":
            blockers.append(f"a move of it is not settled yet (it is {job.stage})")
        blockers += elsewhere(job.row, self._node)
        if blockers:
            raise self._refused(job, blockers)
        processes = [row for row in self._rows() if row.job == job.row.gpid]
        try:
            survey = await asyncio.to_thread(
                survey_job, _plain(job.row), processes, root_pid=job.root_pid, shim_pid=job.shim_pid
            )
        except OSError as exc:
            raise self._refused(job, [f"it cannot be looked at: {exc}"]) from exc
        blockers = [*survey.blockers, *named_pipes(survey.plan)]
        if survey.has_internet_sockets:
            blockers += self._capability.socket_blockers()
        free_bytes = shutil.disk_usage(self.images).free
        if survey.memory_bytes + RESERVE_BYTES > free_bytes:
            mib = (survey.memory_bytes + RESERVE_BYTES) // 1024 // 1024
            blockers.append(f"{self.images} has no room for {mib} MiB")
        if blockers:
            raise self._refused(job, blockers)
        return survey

    async def hold(self, job: Job, survey: Survey) -> Held:
        """Dumps a job, which does not run until :meth:`release`; the caller holds its lock.

        Args:
            job: The job.
            survey: What :meth:`look` saw; only those files are read again that may have changed.

        Raises:
            SsiError: It cannot be; it runs on.
        """
        images = self.images / f"{job.row.gpid}-{job.row.epoch + 1}"
        remove_tree(images)
        images.mkdir(mode=0o700)
        held_s = time.monotonic()
        try:
            async with job.stopping:
                job.dumping = True
            if not job.row.frozen and cgroup.is_unified(cgroup.make_for_job(job.row.gpid)):
                await hold_job(job)
            request = Dump(criu=self._capability.path, images=str(images))
            dumped = await job.shim().ask(request, Dumped, DUMP_TIMEOUT_S)
            job.stage = "stopped"
            return await asyncio.to_thread(
                self._held, job, images, dumped.state, held_s, survey, self._pids(job)
            )
        except (SsiError, OSError) as exc:
            await self.release(job)
            remove_tree(images)
            if isinstance(exc, SsiError) and not isinstance(exc, DumpFailed):
                raise
            reason = exc.what() if isinstance(exc, SsiError) else exc.strerror or str(exc)
            raise CheckpointFailed(
                gpid=job.row.gpid,
                node=self._node,
                reason=reason,
                has_ended=await job.is_ending(),
            ) from exc

    async def release(self, job: Job) -> float:
        """A held job runs on; when it did, by the monotonic clock. Harmless twice.

        A shim that does not answer is left to :mod:`~nodeagent.migration.doubt`.
        """
        try:
            status = await job.shim().ask(GetStatus(), Status, ASK_TIMEOUT_S)
            stage = stage_of(status.stage)
            if stage == "stopped":
                await job.shim().ask(Thaw(), Ok, ASK_TIMEOUT_S)
                stage = "running"
        except SsiError:
            _log.exception("event=not-released gpid=%d", job.row.gpid)
        else:
            job.stage = stage
        if not job.row.frozen:
            thaw_job(job)
        job.dumping = False
        return time.monotonic()

    def _held(
        self,
        job: Job,
        images: Path,
        state: bytes,
        held_s: float,
        survey: Survey,
        pids: list[int],
    ) -> Held:
        plan = plan_of(
            _plain(job.row),
            read_open_things(pids),
            pids,
            root_pid=job.root_pid,
            shim_pid=job.shim_pid,
        )
        if plan.blockers:
            raise self._refused(job, list(plan.blockers))
        return Held(
            images=images,
            state=state,
            plan=plan,
            files=_described_again(plan.files, survey),
            directories=described(describe_directory, plan.directories),
            sources=plan.sources,
            held_s=held_s,
        )

    def _pids(self, job: Job) -> list[int]:
        return [row.pid for row in self._rows() if row.job == job.row.gpid]

    def _refused(self, job: Job, blockers: list[str]) -> CannotCheckpoint:
        return CannotCheckpoint(gpid=job.row.gpid, node=self._node, blockers=blockers)


def elsewhere(row: JobRow, node: str, opened: Sequence[FileMeta] | None = None) -> list[str]:
    """Why images of a job can neither be made nor used on a node, in a sentence; empty: they can.

    The files of a checkpoint are looked at by their paths, so that must be where they are.

    Args:
        row: The job.
        node: Where it is to be looked at, or to run.
        opened: The files that it had open; None where that is not known yet.
    """
    if row.files is None or row.files.home == node:
        return []
    if opened is not None and not any(row.files.cover(meta.path) for meta in opened):
        return []
    home = row.files.home
    if is_client(home):
        return [f"it has files of {home} open, which is no node, so they cannot be compared"]
    return [
        f"it sees files of {home}, and only there they can be compared: move it to {home} first"
    ]


def _plain(row: JobRow) -> JobRow:
    """The job where it is at home: its files are plain files, and it may find them changed."""
    return msgspec.structs.replace(row, files=None)


def _described_again(items: Sequence[Item], survey: Survey) -> tuple[FileMeta, ...]:
    """The files; one whose size and time of change are as they were is not read again."""
    return described(lambda item: description_of(item, survey.steady) or describe_file(item), items)
