"""One command on many nodes at once: started, fed, listened to, and ended when its time is over."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from ssi.client.attachment import Source, connect
from ssi.client.errors import JobLost, NotRun, RanTooLong
from ssi.client.jobs import BRIEF_MS, JobHandle
from ssi.client.limit import GRACE_S, Limit
from ssi.client.system import System, why_dead
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobSpec, JobState, StreamName
from ssi.model.node import NodeRow, NodeState
from ssi.model.noderun import NodeRun

BACKSTOP_S: Final = 2 * GRACE_S
"""How long after its limit a node is still listened to: one that hangs tells nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """How many nodes are worked at.

    Attributes:
        fanout: So many at once.
        max_fails: Once so many failed, no further one begins; None for no such limit.
        limit_s: For each node, from its start; None for no limit.
    """

    fanout: int
    max_fails: int | None = None
    limit_s: float | None = None


class Audience(Protocol):
    """Whoever watches a fleet."""

    async def heard(self, node: str, stream: StreamName, data: bytes) -> None:
        """A node's command wrote that. Each stream comes in its order."""

    async def ended(self, run: NodeRun) -> None:
        """A node is through."""


Prepare = Callable[[str], Awaitable[JobSpec]]
"""The command as it is to run on a node."""


@dataclass(slots=True)
class Fleet:
    """A command on many nodes.

    Attributes:
        source_of: The input of the command on a node.
    """

    system: System
    prepare: Prepare
    orders: Orders
    audience: Audience
    source_of: Callable[[str], Source]
    _running: dict[str, JobHandle] = field(default_factory=dict)
    _fails: int = 0
    _stopped: str = ""

    async def run(self, rows: Sequence[NodeRow]) -> list[NodeRun]:
        """Runs it on all of them; how it went on each, in their order.

        Raises:
            OutputClosed: Nobody reads any more; the commands were told.
        """
        slots = asyncio.Semaphore(self.orders.fanout)

        async def one(row: NodeRow) -> NodeRun:
            async with slots:
                run = await self._one(row)
            await self.audience.ended(run)
            return run

        tasks = [asyncio.ensure_future(one(row)) for row in rows]
        try:
            return list(await asyncio.gather(*tasks))
        except BaseException:
            jobs = list(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await _tell(jobs, signal.SIGPIPE)
            raise

    async def signal(self, number: int) -> None:
        """Passes a signal on to all commands that run; no further one begins."""
        self._stopped = f"interrupted by {signal.Signals(number).name}"
        await _tell(list(self._running.values()), number)

    async def _one(self, row: NodeRow) -> NodeRun:
        began_s = time.monotonic()
        run = await self._within_limit(row)
        if run.failed and not isinstance(run.error, NotRun):
            self._fails += 1
            if self._fails == self.orders.max_fails:
                self._stopped = f"so many had failed ({self._fails})"
        return replace(run, took_s=time.monotonic() - began_s)

    async def _within_limit(self, row: NodeRow) -> NodeRun:
        limit_s = self.orders.limit_s
        backstop = asyncio.timeout(None if limit_s is None else limit_s + BACKSTOP_S)
        try:
            async with backstop:
                return await self._start_and_follow(row)
        except TimeoutError:
            if not backstop.expired():
                raise
            return NodeRun(node=row.name, error=RanTooLong(node=row.name, after_s=limit_s or 0.0))
        except SsiError as exc:
            job = self._running.get(row.name)
            return NodeRun(node=row.name, gpid=job.row.gpid if job else 0, error=exc)
        finally:
            self._running.pop(row.name, None)

    async def _start_and_follow(self, row: NodeRow) -> NodeRun:
        if self._stopped:
            raise NotRun(node=row.name, reason=self._stopped)
        if row.state in {NodeState.DEAD, NodeState.LEFT}:
            raise why_dead(row)
        spec = await self.prepare(row.name)
        source = self.source_of(row.name)
        brief = source is nothing and spec.terminal is None and not spec.detached
        job = await JobHandle.start(
            self.system, row.name, spec, wait_ms=BRIEF_MS if brief else 0, no_input=brief
        )
        gpid = job.row.gpid
        if spec.detached:
            return NodeRun(node=row.name, gpid=gpid, notice=job.notice)
        self._running[row.name] = job
        async with Limit(job, self.orders.limit_s) as limit:
            ended = await self._follow(job, row.name, source)
        if limit.is_over:
            error = RanTooLong(node=row.name, after_s=self.orders.limit_s or 0.0)
            return NodeRun(node=row.name, gpid=gpid, error=error)
        if ended.state is JobState.LOST or ended.exit_status is None:
            raise JobLost(gpid=gpid, node=row.name, reason=ended.problem)
        return NodeRun(node=row.name, gpid=gpid, exit_status=ended.exit_status, notice=job.notice)

    async def _follow(self, job: JobHandle, node: str, source: Source) -> JobRow:
        async def out(data: bytes) -> None:
            await self.audience.heard(node, "stdout", data)

        async def err(data: bytes) -> None:
            await self.audience.heard(node, "stderr", data)

        ended = await connect(job, source=source, sinks=(out, err))
        await job.release()
        return ended


async def _tell(jobs: Sequence[JobHandle], number: int) -> None:
    """What cannot be told so ends by its lease."""
    told = await asyncio.gather(*(job.signal(number) for job in jobs), return_exceptions=True)
    for outcome in told:
        if isinstance(outcome, BaseException) and not isinstance(outcome, SsiError):
            raise outcome


async def nothing() -> bytes:
    """The input of a command that has none."""
    return b""
