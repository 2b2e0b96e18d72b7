"""The end of a job of which only images are left."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from typing import Final

from nodeagent.job import Job
from nodeagent.shim.messages import Ok, Release
from nodeagent.shimlink import ShimGone, ShimSilent
from ssi.model.job import JobState

STATUS: Final = 128 + signal.SIGKILL

RELEASE_TIMEOUT_S: Final = 5.0


async def end_with_checkpoint(job: Job) -> None:
    """Notes the end of a job whose copy was killed after its checkpoint was kept."""
    await _end(job, problem="ended by its checkpoint")


async def end_given_up(job: Job) -> None:
    """Notes the end of a job that was killed while it waited to be restored."""
    await _end(job, killed_by=signal.SIGKILL)


async def _end(job: Job, *, problem: str = "", killed_by: int = 0) -> None:
    if not job.is_over:
        job.become(
            JobState.EXITED,
            exit_status=STATUS,
            killed_by=killed_by,
            ended_ms=int(time.time() * 1000),
            processes=0,
            problem=problem,
        )
    with suppress(ShimGone, ShimSilent):
        await job.shim().ask(Release(), Ok, RELEASE_TIMEOUT_S)
