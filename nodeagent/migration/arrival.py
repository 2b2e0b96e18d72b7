"""A job on its way to this node, from the first word of it until it runs here or is given up."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from nodeagent.job import Job
from nodeagent.jobtable import remove_tree
from nodeagent.mechanism import signals
from nodeagent.migration.imagelaneend import LaneEnd
from nodeagent.migration.landing import Landing
from nodeagent.shim.messages import Ok, Release
from nodeagent.shimlink import ShimGone
from ssi.model.errors import SsiError
from ssi.model.job import JobRow
from ssi.protocol.migration import FileMeta


@dataclass(slots=True, kw_only=True)
class Arrival:
    """A job on its way to this node.

    Attributes:
        row: As it will be here.
        source: The node that leads.
        images: Directory of its images, in memory.
        landing: Its files.
        uid: Of its owner.
        programs: Of the job, as the source has described them.
        shared: Paths on network file systems.
        checksums: Running CRC-32 and size of each image.
        lane: Where images may come that do not go over CURVE.
        opening: Gives it a shim, ahead of the images; None where that must wait.
        job: Once its restore has begun.
        named: Its restored processes have been looked at.
        heard_at_s: When the source last said something.
        writing: Held while pieces are written.
        busy: Held while it is restored, let run or cleared away.
    """

    row: JobRow
    source: str
    images: Path
    landing: Landing
    uid: int = 0
    programs: tuple[FileMeta, ...] = ()
    shared: tuple[str, ...] = ()
    checksums: dict[str, tuple[int, int]] = field(default_factory=dict)
    lane: LaneEnd | None = None
    opening: asyncio.Task[Job | SsiError | OSError] | None = None
    job: Job | None = None
    named: bool = False
    heard_at_s: float = field(default_factory=time.monotonic)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_ready(self) -> bool:
        """Whether it stands at the barrier."""
        return self.job is not None and self.job.stage == "ready"

    async def opened(self) -> Job | None:
        """The job that got its shim ahead, which is :attr:`job` from now on; None where none did.

        Raises:
            SsiError: It got none.
            OSError: It got no directory.
        """
        if self.opening is None:
            return None
        opening, self.opening = self.opening, None
        job = await opening
        if isinstance(job, Exception):
            raise job
        self.job = job
        return job


async def end(job: Job) -> None:
    """Nothing stays of the job of an arrival; its shim may be at work or not answer."""
    await _end_shim(job)
    remove_tree(job.sockets)
    remove_tree(job.record)


async def _end_shim(job: Job) -> None:
    if job.link is None:
        return
    try:
        await job.link.ask(Release(), Ok, 10.0)
    except ShimGone:
        pass  # as wanted
    except SsiError:
        # It is the first process of the job's namespace, so all that it restored ends with it.
        with suppress(ProcessLookupError):
            signals.send(job.shim_pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(5.0):
            await job.link.gone.wait()
    job.link.close()
