"""Jobs that stand still for a moment, as they are moved or kept.

What is done to a process once CRIU has read it is done to what will never run again, where the job
goes on elsewhere: a signal, a priority, a size of its terminal would be lost. So such requests wait
until the job goes on, and are done to it where it does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from ssi.protocol.refusals import JobStandsStill

PATIENCE_S: Final = 4.0
"""How long is waited; less than a command waits for its answer."""

_POLL_S: Final = 0.005
_DOUBT_POLL_S: Final = 0.05


async def until_it_goes_on(table: JobTable, gpid: int) -> Job:
    """The job of that first gpid, once what is done to it stays with it; at once for most.

    It may be over by then.

    Raises:
        JobMoved: It goes on elsewhere, and it is known where.
        NoSuchProcess: There is none here.
        JobStandsStill: Still; nothing was done to it.
    """
    give_up_at_s = time.monotonic() + PATIENCE_S
    while (job := table.find(gpid)).stands_still and not job.is_over:
        if time.monotonic() > give_up_at_s:
            raise _untouched(job)
        await asyncio.sleep(_POLL_S)
    return job


@asynccontextmanager
async def not_moving(job: Job) -> AsyncIterator[None]:
    """No move of the job is led from here meanwhile, nor is one in doubt.

    Raises:
        JobStandsStill: One is, for longer than is waited.
    """
    give_up_at_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            async with asyncio.timeout(max(give_up_at_s - time.monotonic(), 0.0)):
                await job.moving.acquire()
        except TimeoutError as exc:
            raise _untouched(job) from exc
        if not is_open(job):
            break
        job.moving.release()  # whoever settles it needs that
        if time.monotonic() > give_up_at_s:
            raise _untouched(job)
        await asyncio.sleep(_POLL_S)
    try:
        yield
    finally:
        job.moving.release()


async def until_settled(job: Job, within_s: float) -> None:
    """Returns once no move of the job is under way or in doubt here, or after that time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            async with job.moving:
                pass
            while is_open(job):  # noqa: ASYNC110 - its stage has many writers
                await asyncio.sleep(_DOUBT_POLL_S)


def is_open(job: Job) -> bool:
    """Whether it may yet run here, or elsewhere, and it is not known which."""
    # One that has moved is here until its agent has let go of it: what it is asked for meanwhile
    # would be done to the copy that is dead.
    return job.is_unsettled and not job.is_over and not job.ended.is_set()


def _untouched(job: Job) -> JobStandsStill:
    return JobStandsStill(
        gpid=job.row.gpid,
        node=job.row.node,
        destination=job.destination,
        given_up=job.pledged or job.stage in {"committed", "lent"},
    )
