"""A job that has the terminal, until it ends, is stopped, or its node is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.client.viewer import View, ViewerLeft, Watch, view_job
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState
from ssi.protocol.system import JobList, ListJobs

SUSPEND: Final = b"\x1a"
QUICK_S: Final = 0.03
SLOW_S: Final = 1.5
EAGER_S: Final = 3.0
"""After ^Z it is looked often whether the job has stopped; else now and then, for a program may
stop itself, or be stopped by another."""

LossOf: TypeAlias = Callable[[str], SsiError | None]
"""Why nothing is to be hoped of a node."""


async def hold(system: System, job: JobHandle, watch: Watch, *, loss_of: LossOf) -> JobRow:
    """Joins the terminal to a job; its row when it ended, was stopped, or was left.

    Args:
        system: To ask.
        job: With a terminal.
        watch: How far it was seen; kept up to date.
        loss_of: Why nothing is to be hoped of a node; None where something is.

    Raises:
        SsiError: The job is out of reach.
    """
    pressed = asyncio.Event()

    def typed(keys: bytes) -> None:
        system.lull.typed()
        if SUSPEND in keys:
            pressed.set()

    watch.typed = typed
    viewing = asyncio.create_task(view_job(job, View(), watch=watch))
    stopping = asyncio.create_task(await_stop(system, job, pressed, loss_of))
    try:
        await asyncio.wait({viewing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not viewing.done() and not stopping.cancelled() and stopping.done():
            return stopping.result()
        return await viewing
    except ViewerLeft:
        await job.disown()
        return job.row
    finally:
        watch.typed = None
        for task in (viewing, stopping):
            task.cancel()
        await asyncio.gather(viewing, stopping, return_exceptions=True)


async def look(system: System, job: JobHandle) -> JobRow | None:
    """The row of a job with its state as its processes have it; None where its node has none."""
    gpid = job.row.gpid
    reply = await system.ask(ListJobs(gpids=(gpid,)), JobList, node=job.node, timeout_s=5.0)
    return next((row for row in reply.rows if row.gpid == gpid), None)


async def await_stop(
    system: System,
    job: JobHandle,
    pressed: asyncio.Event,
    loss_of: LossOf,
) -> JobRow:
    """The row of the job once all of it is stopped.

    Args:
        system: To ask.
        job: That is looked at.
        pressed: Set when ^Z was pressed; cleared here.
        loss_of: Why nothing is to be hoped of a node.

    Raises:
        SsiError: Its node is lost.
    """
    loop = asyncio.get_running_loop()
    eager_until_s = 0.0
    while True:
        eager = loop.time() < eager_until_s
        try:
            async with asyncio.timeout(QUICK_S if eager else SLOW_S):
                await pressed.wait()
            pressed.clear()
            eager_until_s = loop.time() + EAGER_S
            continue
        except TimeoutError:
            pass
        await system.lull.begin()
        loss = loss_of(job.node)
        if loss is not None:
            raise loss
        try:
            row = await look(system, job)
        except SsiError:
            continue  # the viewer knows how long to wait for its node
        if row is not None and row.state is JobState.STOPPED:
            return row
