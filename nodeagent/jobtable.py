"""All jobs of this node: made, found again after a restart of the agent, and forgotten in time."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from nodeagent.departed import LATELY_S, Departed
from nodeagent.job import ROW_NAME, Job, Note
from nodeagent.mechanism import cgroup
from nodeagent.places import Places
from nodeagent.services.members import Membership
from nodeagent.services.processes import HeldJob
from nodeagent.services.sequence import Sequence
from nodeagent.shim.messages import GetStatus, Ok, Release, Status
from nodeagent.shimlink import ShimGone, ShimLink, ShimSilent
from ssi.model.errors import SsiError
from ssi.model.gpid import Gpid, gpid_of_job_process
from ssi.model.job import JobRow, JobState, Whereabouts
from ssi.model.unreadable import UNREADABLE
from ssi.protocol.refusals import JobMoved, NoSuchProcess, NotServed

_log = logging.getLogger(__name__)

_Made = TypeVar("_Made")

CGROUP_TRY_S = 0.02
CGROUP_TRIES = 250
"""For the processes of a job whose shim is gone to be gone, too."""

FORGET_AFTER_S = 5.0
"""How long an ended foreground job is still told of to those who were there."""

MAX_ENDED = 1000
"""Ended jobs of which record and logs are kept; the oldest beyond that are forgotten."""

REMOVALS = 10
"""So often it is tried to remove a directory of which others remove a part at the same time."""


class JobTable:
    """The jobs by their gpids, also ended ones that are remembered.

    Args:
        node: Name of this node.
        number: Tells this node's number; None before the roster has come.
        places: Where their directories are.
        tasks: In which each job is watched.
    """

    def __init__(
        self,
        node: str,
        number: Callable[[], int | None],
        places: Places,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.jobs: dict[int, Job] = {}
        self.departed = Departed(places.departed)
        self.at_barrier: list[Job] = []
        """Restored jobs that an earlier agent had not let run yet."""
        self.on_added: list[Callable[[Job], None]] = []
        """Called with each job that comes to this node, or is found again on it."""
        self._node = node
        self._number = number
        self._places = places
        self._tasks = tasks
        self._sequence = Sequence(places.sequence)

    def allocate(self) -> Gpid:
        """A gpid for a process that was born here in a job.

        Raises:
            NotServed: The node has no number yet.
            SequenceBroken: No number is left that was surely never given.
        """
        number = self._number()
        if number is None:
            reason = "it has been given no roster yet"
            raise NotServed(node=self._node, request="jobs", reason=reason)
        return gpid_of_job_process(number, self._sequence.next())

    def find(self, gpid: int) -> Job:
        """The job of that first gpid.

        Raises:
            JobMoved: It left, and it is known where to.
            NoSuchProcess: There is none here.
        """
        job = self.jobs.get(gpid)
        if job is not None and job.stage == "lent":
            raise JobMoved(gpid=gpid, node=job.destination)  # only its memory is still here
        if job is not None:
            return job
        departure = self.departed.of(gpid)
        if departure is not None and departure.node:
            raise JobMoved(gpid=gpid, node=departure.node)
        raise NoSuchProcess(gpid=gpid, detail=f"{self._node} has no such job")

    def living(self) -> list[Job]:
        """Jobs whose shim is there."""
        return [job for job in self.jobs.values() if job.shim_pid]

    def held(self) -> list[HeldJob]:
        """The living jobs, as the process table wants them."""
        return [held_job(job) for job in self.living() if job.stage != "lent"]

    def whereabouts(self) -> tuple[Whereabouts, ...]:
        """Of the jobs that are here, have just ended here, or have just left.

        Who asks several nodes hears of one that moves meanwhile twice, or not at all, and tells by
        this which node to believe.
        """
        ended_ms = (time.time() - LATELY_S) * 1000
        here = (
            Whereabouts(job.row.gpid, job.row.epoch + 1, job.destination)
            if job.pledged or job.stage in {"committed", "lent"}
            else Whereabouts(job.row.gpid, job.row.epoch, self._node)
            for job in self.jobs.values()
            if not job.is_over or (job.row.ended_ms or 0) > ended_ms
        )
        return (*here, *self.departed.lately())

    def has_leavers(self) -> bool:
        """Whether a job is leaving, or left lately: it and its processes may be elsewhere."""
        return any(job.is_unsettled for job in self.jobs.values()) or bool(self.departed.lately())

    def make(self, row: JobRow, *, lasting: bool = True) -> Job:
        """A job with its directories and its row in one of them, not yet in the table.

        The row is there before anything can run, so that an agent that starts after this one
        died finds the job.

        Args:
            row: The job.
            lasting: It is of interest after a reboot; see :attr:`Job.lasting`.

        Raises:
            OSError: They cannot be made: the disk is full. Nothing is left of them.
        """
        job = self._job(row, lasting=lasting)
        try:
            job.sockets.mkdir(mode=0o700, parents=True)
            job.save()
        except OSError:
            self.forget(job)
            raise
        return job

    def add(self, job: Job) -> None:
        """Takes a job into the table and watches it until it ends."""
        self.jobs[job.row.gpid] = job
        self.departed.forget(job.row.gpid)
        self._tasks.create_task(self._watch(job))
        self._forget_oldest()
        for added in self.on_added:
            added(job)

    def leave(self, job: Job, node: str) -> None:
        """Notes that a job went to another node and clears what it had here."""
        self.departed.note(job.row.gpid, node, job.row.epoch)
        self.forget(job)
        job.ended.set()

    def forget(self, job: Job) -> None:
        """Drops a job with its directories."""
        self.jobs.pop(job.row.gpid, None)
        if job.is_over and job.row.epoch > 1:
            self.departed.note(job.row.gpid, "", job.row.epoch)
        if job.link is not None:
            job.link.close()
        remove_tree(job.sockets)
        if job.lasting:
            remove_tree(job.record)
        remove_cgroup(job)

    def let_go(self, job: Job) -> None:
        """A foreground job that ended and whose client has all it wanted: forgotten in a moment.

        Until then only those hear of it who were there; other viewers of its terminal may still be
        on their way to its end.
        """
        job.released = True
        if not job.forgetting:
            job.forgetting = True
            self._tasks.create_task(self._forget_later(job))

    async def _forget_later(self, job: Job) -> None:
        await asyncio.sleep(FORGET_AFTER_S)
        if self.jobs.get(job.row.gpid) is job:
            self.forget(job)

    def begin(self, work: Coroutine[Any, Any, _Made]) -> asyncio.Task[_Made]:
        """Does something for a job beside what is done now, and no longer than this agent lives."""
        return self._tasks.create_task(work)

    def remove_later(self, directory: Path) -> None:
        """Removes a directory without anybody waiting: a gigabyte of images takes 0.2 s."""
        self._tasks.create_task(asyncio.to_thread(remove_tree, directory))

    async def adopt(self) -> None:
        """Finds the jobs that were here before this agent started."""
        found = _numbered(self._places.job_sockets) | _numbered(self._places.jobs)
        for _gpid, directory in sorted(found.items()):
            row = _kept_row(directory / ROW_NAME)
            if row is None:
                remove_tree(directory)
                continue
            job = self._job(row, lasting=directory.parent == self._places.jobs)
            try:
                await self._adopt_shim(job)
            except ShimSilent as exc:
                _log.warning("event=shim-silent gpid=%d reason=%s", row.gpid, exc)
            except ShimGone:
                if row.node != self._node:  # it was on its way here, and never ran
                    self.forget(job)
                    continue
                job.bury()
                if job.is_over and not job.row.detached:
                    self.forget(job)
                    continue
            if job.stage in {"ready", "restoring"}:
                self.at_barrier.append(job)
            else:
                self.add(job)
        known = {*self.jobs, *(job.row.gpid for job in self.at_barrier)}
        for gpid, directory in _numbered(self._places.job_sockets).items():
            if gpid not in known:
                remove_tree(directory)
        cgroup.remove_all_but({job.row.gpid for job in (*self.living(), *self.at_barrier)})

    async def _adopt_shim(self, job: Job) -> None:
        link = await ShimLink.connect(job.sockets / "shim.sock", self._tasks, timeout_s=2.0)
        job.link = link
        status = await link.ask(GetStatus(), Status, 5.0)
        job.shim_pid, job.root_pid = status.shim_pid, status.root_pid
        job.stage = stage_of(status.stage)
        if status.stage == "running" and status.doing:
            job.stage = "stopped"  # or soon, by a dump that nobody waits for: doubt lets it run on
        with suppress(*UNREADABLE):
            job.recall(msgspec.msgpack.decode(status.note, type=Note))
        if job.row.node != self._node and status.stage == "empty":
            job.stage = "restoring"
        elif job.stage != "ready":
            # The agent before this one died as it let it run, before the shim had the news.
            job.row = msgspec.structs.replace(job.row, node=self._node)
        if job.row.state is JobState.STARTING:  # the agent before this one died as it started it
            if not job.root_pid:
                await link.ask(Release(), Ok, 5.0)
                raise ShimGone(path=str(job.sockets), reason="nothing was started in it")
            job.become(JobState.RUNNING)
        _log.info("event=job-adopted gpid=%d stage=%s", job.row.gpid, job.stage)

    async def _watch(self, job: Job) -> None:
        try:
            await job.watch()
        except SsiError as exc:
            _log.warning("event=watch-failed gpid=%d reason=%s", job.row.gpid, exc)
            return
        if job.link is not None:
            await job.link.gone.wait()
        if job.is_over:
            gone = remove_cgroup(job)
            if self.jobs.get(job.row.gpid) is job:
                self._close(job)
            if not gone:
                await until_cgroup_is_gone(
                    job.row.gpid, lambda: self.jobs.get(job.row.gpid, job) is not job
                )

    def _close(self, job: Job) -> None:
        """Its shim has ended: nothing of a foreground job is kept, its client has gone."""
        if job.row.detached:
            job.bury()
        elif job.row.state is JobState.EXITED:
            job.bury()
            self.let_go(job)

    def _job(self, row: JobRow, *, lasting: bool) -> Job:
        return Job(
            row=row,
            sockets=self._places.job_sockets / str(row.gpid),
            record=self._places.jobs / str(row.gpid),
            membership=Membership(self.allocate),
            lasting=lasting,
        )

    def _forget_oldest(self) -> None:
        ended = [job for job in self.jobs.values() if job.is_over and job.link is None]
        for job in ended[: max(0, len(ended) - MAX_ENDED)]:
            self.forget(job)


def held_job(job: Job) -> HeldJob:
    """A job as the process table wants it."""
    return HeldJob(
        gpid=job.row.gpid,
        shim_pid=job.shim_pid,
        membership=job.membership,
        unsettled=job.is_unsettled,
    )


def remove_cgroup(job: Job) -> bool:
    """Once where it has ended for good; one that counts as lost may run again.

    False where something is still in it, or it may run again.
    """
    if not job.left_cgroup:
        gone = cgroup.remove_of_job(job.row.gpid)
        job.left_cgroup = gone and job.row.state is JobState.EXITED
    return job.left_cgroup


async def until_cgroup_is_gone(gpid: int, is_wanted: Callable[[], bool] = lambda: False) -> None:
    """Removes it: what was killed with its shim takes a moment to leave, longer with much memory.

    Args:
        gpid: The job's.
        is_wanted: Whether a job of that gpid has come back meanwhile.
    """
    for _try in range(CGROUP_TRIES):
        if is_wanted() or cgroup.remove_of_job(gpid):
            return
        await asyncio.sleep(CGROUP_TRY_S)


def make_directory(directory: Path) -> None:
    """Makes one for root alone, in the place of any that is there.

    Raises:
        OSError: It cannot be made.
    """
    remove_tree(directory)
    directory.mkdir(mode=0o700)


def remove_tree(directory: Path) -> None:
    """Removes a directory with all in it; what resists is told of in the log."""
    with suppress(OSError):  # nearly every one holds files and nothing else
        for name in os.listdir(directory):  # noqa: PTH208 - names are all that is wanted
            os.unlink(f"{directory}/{name}")  # noqa: PTH108 - of every short job: no objects for it
        directory.rmdir()
        return
    for left in reversed(range(REMOVALS)):
        try:
            shutil.rmtree(directory)
        except OSError as exc:
            if not directory.exists():
                return
            if left and exc.errno in {errno.ENOENT, errno.ENOTEMPTY}:
                continue  # something came into it, or went, as the socket of a shim that ends
            _log.warning("event=not-removed path=%s reason=%s", directory, exc)
        return


def stage_of(shim_stage: str) -> str:
    """How far a move has come, in the words of :class:`ssi.protocol.migration.Ownership`."""
    words = {"dumped": "stopped", "committed": "committed", "lent": "lent", "ready": "ready"}
    return words.get(shim_stage, "running")


def _numbered(parent: Path) -> dict[int, Path]:
    """The directories of jobs by their gpids."""
    return {int(path.name): path for path in parent.iterdir() if path.name.isdigit()}


def _kept_row(path: Path) -> JobRow | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=JobRow)
    except (FileNotFoundError, *UNREADABLE):
        return None
