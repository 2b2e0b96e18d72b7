"""Pipelines of jobs: each stage on its node, the bytes flowing from node to node.

How a face uses it::

    stages = [StageSpec(node="n1", spec=a), StageSpec(node="n2", spec=b)]
    pipeline = await Pipeline.start(system, stages)
    await pipeline.stages[0].write(0, b"", end=True)  # or whatever the first is to read
    data = await pipeline.stages[-1].read("stdout", 0)  # to its end, and the stderr of each
    ends = await pipeline.wait()  # one for each stage: PIPESTATUS
    await pipeline.release()

All stages start at once and are joined at once: a stage more costs no round trip more. Nothing is
lost meanwhile: a job's first bytes stay with its shim until its reader fetches them, and a reader
waits at its empty stdin. Each stage is a job like any other (``JobHandle``), may be signalled,
moved and looked at; only its joined streams belong to its neighbours. The client may leave: pipes
go on as long as the jobs do (:meth:`Pipeline.disown` lets these go on without a client).
``|&`` is ``2>&1 |`` in the stage's own command: a stdin has one source.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobSpec, JobState, StreamName

UNKNOWN_STATUS: Final = 255
"""Of a stage whose end is not known, as ssh has it for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """One stage: a job with pipes, not detached, and its node.

    The last may have a terminal for its output and its keys, with ``piped_stdin``.
    """

    node: str
    spec: JobSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEnd:
    """How a stage ended.

    Attributes:
        row: Of its job, as last heard.
        error: Why its end is not known; None where it is.
    """

    row: JobRow
    error: SsiError | None = None

    @property
    def status(self) -> int:
        """As a shell has it: 128 + N for signal N; 255 where it is lost or unknown."""
        if self.error is not None or self.row.state is JobState.LOST:
            return UNKNOWN_STATUS
        assert self.row.exit_status is not None
        return self.row.exit_status

    @property
    def problem(self) -> str:
        """What a person should know of it, a sentence; empty where it simply ended."""
        if self.error is not None:
            return self.error.what()
        return self.row.problem if self.row.state is JobState.LOST else ""


async def join(system: System, source: JobHandle, stream: StreamName, target: JobHandle) -> None:
    """Makes a stream of one job the stdin of another. Harmless twice.

    Both have pipes, both are of one user, and nobody has read of the one or written to the other.
    They may have begun, or ended: nothing that was written is lost.

    Raises:
        CannotJoin: One of them has no such pipe, or has another neighbour.
        SsiError: One of them is out of reach.
    """
    await target.read_from(source, stream)


class Pipeline:
    """Jobs of which each reads what the one before it writes.

    Attributes:
        stages: In the order of the pipeline. The stdin of the first, the stdout of the last and
            the stderr of all are the client's.
    """

    def __init__(self, stages: Sequence[JobHandle]) -> None:
        self.stages = tuple(stages)

    @classmethod
    async def start(cls, system: System, stages: Sequence[StageSpec]) -> Pipeline:
        """Starts all of them and joins them.

        Raises:
            SsiError: One could not be started or joined; the others were taken down.
        """
        started = await asyncio.gather(
            *(JobHandle.start(system, stage.node, stage.spec) for stage in stages),
            return_exceptions=True,
        )
        pipeline = cls([stage for stage in started if isinstance(stage, JobHandle)])
        joined: list[object] = []
        if len(pipeline.stages) == len(stages):
            pairs = zip(pipeline.stages, pipeline.stages[1:], strict=False)
            joined = await asyncio.gather(
                *(join(system, source, "stdout", target) for source, target in pairs),
                return_exceptions=True,
            )
        failures = [each for each in (*started, *joined) if isinstance(each, BaseException)]
        if failures:
            await pipeline.take_down()
            raise failures[0]
        return pipeline

    async def wait(self) -> tuple[StageEnd, ...]:
        """How each ended, once all have.

        A stage that is out of reach for long leaves its neighbours waiting, so these are told
        SIGHUP then; their ends are waited for.
        """
        ends = await asyncio.gather(*(self._end_of(stage) for stage in self.stages))
        return tuple(ends)

    async def signal(self, number: int) -> None:
        """Sends a signal to every process of every stage; what has ended or is away gets none."""
        await self._each(lambda stage: stage.signal(number))

    async def take_down(self) -> None:
        """Ends all that still runs, without asking it."""
        await self.signal(signal.SIGKILL)
        await self._each(_release_when_over)

    async def disown(self) -> None:
        """Lets all of them go on without a client."""
        await self._each(lambda stage: stage.disown())

    async def release(self) -> None:
        """Says that nothing more is wanted of the stages, which have ended."""
        await self._each(lambda stage: stage.release())

    async def _end_of(self, stage: JobHandle) -> StageEnd:
        try:
            return StageEnd(row=await stage.wait())
        except SsiError as exc:
            others = Pipeline([other for other in self.stages if other is not stage])
            await others.signal(signal.SIGHUP)
            return StageEnd(row=stage.row, error=exc)

    async def _each(self, deed: Callable[[JobHandle], Awaitable[None]]) -> None:
        async def safely(stage: JobHandle) -> None:
            with suppress(SsiError):  # it is out of reach: as promised, it gets nothing
                await deed(stage)

        await asyncio.gather(*map(safely, self.stages))


async def _release_when_over(stage: JobHandle) -> None:
    await stage.wait()
    await stage.release()
