"""A job that may take so long and no longer, as of timeout(1)."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from ssi.client.jobs import JobHandle
from ssi.model.errors import SsiError

GRACE_S: Final = 2.0
"""From the signal that asks a job to end to the one that it cannot refuse."""


class Limit:
    """Ends a job that takes too long: SIGTERM, and SIGKILL if that was not enough.

    Args:
        job: It is asked, and not the connection, so that its output is read to the end.
        limit_s: None for no limit.
    """

    def __init__(self, job: JobHandle, limit_s: float | None) -> None:
        self.is_over = False
        self._job = job
        self._limit_s = limit_s
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._limit_s is not None:
            self._task = asyncio.create_task(self._end(self._limit_s))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _end(self, limit_s: float) -> None:
        await asyncio.sleep(limit_s)
        self.is_over = True
        for number in (signal.SIGTERM, signal.SIGCONT, signal.SIGKILL):
            if number is signal.SIGKILL:
                await asyncio.sleep(GRACE_S)
            with suppress(SsiError):  # out of reach: whoever waits for its end hears of that
                await self._job.signal(number)
