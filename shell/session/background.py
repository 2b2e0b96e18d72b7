"""Jobs in the background: what they write is shown, their ends are told before a prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from shell.session.foreground import look
from shell.session.jobtable import Entry, JobTable, job_text, word_for
from shell.session.outcome import FAILED
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.model.job import JobState, StreamName

LOOK_S = 2.0


class Background:
    """See the module."""

    def __init__(
        self, system: System, table: JobTable, show: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self._system = system
        self._table = table
        self._show = show
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def follow(self, entry: Entry) -> None:
        """Shows what it writes and hears of its end, until :meth:`leave`."""
        self.leave(entry)
        self._tasks[entry.number] = asyncio.create_task(self._follow(entry))

    def leave(self, entry: Entry) -> None:
        """Another cares for it now."""
        task = self._tasks.pop(entry.number, None)
        if task is not None:
            task.cancel()

    async def wait(self, entry: Entry) -> None:
        """Until it has ended, or stopped."""
        while not entry.is_over and entry.state is not JobState.STOPPED:
            task = self._tasks.get(entry.number)
            if task is None or task.done():
                return
            await asyncio.wait({task}, timeout=LOOK_S)
            if not task.done():
                await self._see_stopped(entry)

    def news(self) -> list[str]:
        """Of jobs that ended, which are then forgotten, and of those that were stopped."""
        told = []
        for entry in list(self._table):
            if not (entry.is_over or (entry.state is JobState.STOPPED and not entry.is_told)):
                continue
            mark = self._table.mark(entry)
            told.append(job_text(entry.number, mark, word_for(entry), entry.command))
            told += [f"ssi: {doubt}" for doubt in entry.doubts]
            entry.is_told = True
            if entry.is_over:
                self.leave(entry)
                self._table.remove(entry)
        return told

    async def close(self) -> None:
        """Follows none any more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _see_stopped(self, entry: Entry) -> None:
        try:
            row = await look(self._system, entry.handles[-1])
        except SsiError:
            return
        if row is not None and row.state is JobState.STOPPED:
            entry.state, entry.is_told = JobState.STOPPED, False

    async def _follow(self, entry: Entry) -> None:
        last = entry.handles[-1]
        shows = [self._copy(last, "stdout", entry)]
        shows += [
            self._copy(each, "stderr", None) for each in entry.handles if not each.row.has_terminal
        ]
        async with asyncio.TaskGroup() as group:
            ends = [group.create_task(self._end_of(entry, job)) for job in entry.handles]
            for show in shows:
                group.create_task(show)
        entry.statuses = tuple(end.result() for end in ends)
        entry.state = JobState.LOST if entry.doubts else JobState.EXITED

    async def _end_of(self, entry: Entry, job: JobHandle) -> int:
        try:
            row = await job.wait()
        except SsiError as exc:
            entry.doubts += (f"what became of {job.row.gpid} is unknown: {exc}",)
            return FAILED
        if job.row.detached or row.has_terminal:
            with suppress(SsiError):  # how it ended is known; its node forgets it by itself
                await job.release()
        if row.state is JobState.LOST:
            entry.doubts += (f"{row.gpid} is lost: {row.problem}",)
        return FAILED if row.exit_status is None else row.exit_status

    async def _copy(self, job: JobHandle, stream: StreamName, entry: Entry | None) -> None:
        offset = entry.watch.seen_bytes if entry is not None else 0
        try:
            while True:
                data = await job.read(stream, offset)
                offset = data.offset + len(data.data)
                if data.data:
                    await self._show(data.data)
                if entry is not None:
                    entry.watch.seen_bytes = offset
                if data.ended:
                    return
        except SsiError:
            return  # its end says why
