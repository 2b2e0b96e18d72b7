"""This process in the place of a job: its keys, screen, pipes, signals and exit status."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, Final

from ssi.cli.exits import INTERRUPTED, SSI_FAILED
from ssi.cli.outcome import note
from ssi.client.attachment import OutputClosed, attach
from ssi.client.jobs import JobHandle
from ssi.client.viewer import View, ViewerLeft, view_job
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState

FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

UNHEARD_S: Final = 1.0
"""A signal that is on its way for longer is one of a job that takes none, as it is in doubt."""


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
    raw = job.row.has_terminal
    job.seen = _problems(_what_leaves(view, raw=raw), raw=raw)
    job.seen(job.row)
    if raw:
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
    sending = _Sending(job)
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        for number in () if view.read_only else FORWARDED:
            loop.add_signal_handler(number, sending.forward, number)
            stack.callback(loop.remove_signal_handler, number)
        given = None if view.read_only else stdin
        carrying = loop.create_task(attach(job, stdin=given, peek=view.read_only))
        try:
            either: set[asyncio.Future[Any]] = {carrying, sending.left}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not carrying.done():
                return await _leave(job, ViewerLeft(signal=sending.left.result()))
            row = carrying.result()
        except OutputClosed:
            with suppress(TimeoutError):  # one that ignores SIGPIPE is ended by its lease
                async with asyncio.timeout(2.0):
                    await job.wait()
                    await job.release()
            return 128 + signal.SIGPIPE
        finally:
            sending.left.cancel()
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)
    job.release_later()
    if row.killed_by == signal.SIGINT and signal.SIGINT in sending.heard:
        return INTERRUPTED
    return exit_status_of(row)


class _Sending:
    """Signals that come to this process are the job's, unless it takes none.

    Attributes:
        heard: Which came.
        left: Has the one by which the person left, as an earlier one is on its way yet.
    """

    def __init__(self, job: JobHandle) -> None:
        self.heard: set[int] = set()
        self.left: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._job = job
        self._under_way: dict[asyncio.Task[None], float] = {}

    def forward(self, number: int) -> None:
        """Passes one on; leaves where one has been on its way for :data:`UNHEARD_S`."""
        self.heard.add(number)
        now_s = time.monotonic()
        if any(now_s - sent_s > UNHEARD_S for sent_s in self._under_way.values()):
            if not self.left.done():
                self.left.set_result(number)
            return
        task = asyncio.get_running_loop().create_task(self._send(number))
        self._under_way[task] = now_s
        task.add_done_callback(self._under_way.pop)

    async def _send(self, number: int) -> None:
        try:
            await self._job.signal(number)
        except SsiError as exc:
            note(f"{signal.Signals(number).name} was not passed on: {exc.what()}")


def _what_leaves(view: View, *, raw: bool) -> str:
    """The keys by which somebody leaves a job that does not go on; empty where there are none."""
    if view.read_only:
        return "^C"
    if not raw:
        return "^C twice"
    return f"{view.escape.decode()}." if view.escape else ""


def _problems(leaves: str, *, raw: bool) -> Callable[[JobRow], None]:
    """Tells what is wrong with a job that neither goes on nor ends, each problem once."""
    told = {""}

    def tell(row: JobRow) -> None:
        problem = row.problem if row.state is JobState.MIGRATING else ""
        if problem not in told:
            told.add(problem)
            way_out = f"; {leaves} leaves it" if leaves else ""
            note(f"job {row.gpid} neither runs on nor ends: {problem}{way_out}", raw=raw)

    return tell
