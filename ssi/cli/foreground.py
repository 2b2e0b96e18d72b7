"""This process in the place of a job: its keys, screen, pipes, signals and exit status."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from typing import Any, Final

from ssi.cli.exits import INTERRUPTED, SSI_FAILED
from ssi.cli.outcome import note
from ssi.client.attachment import OutputClosed, attach
from ssi.client.jobs import JobHandle
from ssi.client.viewer import View, ViewerLeft, view_job
from ssi.model.job import JobRow, JobState

FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


async def hold(job: JobHandle, view: View, *, stdin: int | None = 0) -> int:
    """Joins this process to a job until it ends or the person leaves; the exit status.

    Negative where a SIGINT that came to this process ended the job: it is to die of that as well.

    Args:
        job: It.
        view: How.
        stdin: What a job without a terminal reads; None for nothing.

    Raises:
        SsiError: The job is out of reach.
    """
    if job.row.has_terminal:
        return await _hold_terminal(job, view)
    return await _hold_pipes(job, view, stdin)


def exit_status_of(row: JobRow) -> int:
    """The exit status of a job that ended; 255 for one that was lost, which is told."""
    if row.state is JobState.LOST or row.exit_status is None:
        print(f"ssi: job {row.gpid} is lost: {row.problem}", file=sys.stderr)
        return SSI_FAILED
    return row.exit_status


async def _hold_terminal(job: JobHandle, view: View) -> int:
    try:
        row = await view_job(job, view)
    except ViewerLeft as left:
        return await _leave(job, left)
    await job.release()
    return exit_status_of(row)


async def _leave(job: JobHandle, left: ViewerLeft) -> int:
    """Says what becomes of the job; 0 where it goes on, else 255, as when ssh is left."""
    gpid, goes_on = job.row.gpid, job.row.detached or left.disowned
    if left.disowned and not job.row.detached:
        await job.disown()
    if goes_on:
        note(f"left job {gpid}, which goes on; `ssi attach {gpid}` shows it again")
    else:
        note(
            f"left job {gpid}, which gets SIGHUP when its lease is over, "
            f"unless `ssi attach {gpid}` or `ssi disown {gpid}` comes first"
        )
    if left.signal:
        return 128 + left.signal
    return 0 if goes_on else SSI_FAILED


async def _hold_pipes(job: JobHandle, view: View, stdin: int | None) -> int:
    loop = asyncio.get_running_loop()
    heard: set[int] = set()

    def forward(number: int) -> None:
        heard.add(number)
        _start(job.signal(number))

    with ExitStack() as stack:
        for number in () if view.read_only else FORWARDED:
            loop.add_signal_handler(number, forward, number)
            stack.callback(loop.remove_signal_handler, number)
        try:
            given = None if view.read_only else stdin
            row = await attach(job, stdin=given, peek=view.read_only)
        except OutputClosed:
            with suppress(TimeoutError):  # one that ignores SIGPIPE is ended by its lease
                async with asyncio.timeout(2.0):
                    await job.wait()
                    await job.release()
            return 128 + signal.SIGPIPE
    job.release_later()
    if row.killed_by == signal.SIGINT and signal.SIGINT in heard:
        return INTERRUPTED
    return exit_status_of(row)


_background: set[asyncio.Task[None]] = set()
"""Signals on their way: the loop keeps only weak references to tasks."""


def _start(coroutine: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(coroutine)
    _background.add(task)
    task.add_done_callback(_background.discard)
