"""One command on many nodes at once: started, fed, listened to, and ended when its time is over."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from ssi.client.attachment import Source, connect
from ssi.client.errors import JobLost, NotRun, NotTold, RanTooLong
from ssi.client.jobs import BRIEF_MS, JobHandle
from ssi.client.limit import GRACE_S, Limit
from ssi.client.starting import begun, take_down
from ssi.client.system import System, why_dead
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobSpec, JobState, StreamName
from ssi.model.node import NodeRow, NodeState
from ssi.model.noderun import NodeRun

BACKSTOP_S: Final = 2 * GRACE_S
"""How long after its limit a node is still listened to: one that hangs tells nothing more."""

UNTOLD_S: Final = 0.3
"""After which it is looked whether a node that has not taken a signal is silent altogether."""

SILENT_S: Final = 1.2
"""Longer than a node that fares well is silent for."""

BUSY_S: Final = 2.0
"""So long a node that is not known to be dead has for a signal: it, or we, may be overloaded."""


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


@dataclass(slots=True, eq=False)
class _Work:
    """What is done on a node."""

    node: str
    started: asyncio.Event = field(default_factory=asyncio.Event)
    job: JobHandle | None = None
    task: asyncio.Task[NodeRun] | None = None
    untold: str = ""

    @property
    def gpid(self) -> int:
        """Of its job; 0 where there is none yet."""
        return self.job.row.gpid if self.job is not None else 0

    async def tell(self, number: int) -> None:
        """Sends the command a signal, once it is there."""
        await self.started.wait()
        assert self.job is not None
        await self.job.signal(number)

    def give_up(self, number: int) -> None:
        """The node has not taken the signal and is not waited for."""
        assert self.task is not None
        self.untold = signal.Signals(number).name
        self.task.cancel()


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
    _works: dict[str, _Work] = field(default_factory=dict)
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
            jobs = [work.job for work in self._works.values() if work.job is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await _tell(jobs, signal.SIGPIPE)
            raise

    async def signal(self, number: int) -> None:
        """Passes a signal on to all commands; no further one begins.

        Nobody waits for a node that is silent: its own lease ends what runs there.
        """
        self._stopped = f"interrupted by {signal.Signals(number).name}"
        telling = {work: asyncio.create_task(work.tell(number)) for work in self._works.values()}

        def is_over(work: _Work) -> bool:
            return telling[work].done() or work.task is None or work.task.done()

        patient_until_s = time.monotonic() + BUSY_S
        try:
            while untold := {work.node: work for work in telling if not is_over(work)}:
                await asyncio.wait([telling[work] for work in untold.values()], timeout=UNTOLD_S)
                is_patient = time.monotonic() < patient_until_s
                for node in await self._silent_among(untold, is_patient=is_patient):
                    untold[node].give_up(number)
                    telling[untold[node]].cancel()
        finally:
            for task in telling.values():
                task.cancel()
            await asyncio.gather(*telling.values(), return_exceptions=True)

    async def _silent_among(self, nodes: Collection[str], *, is_patient: bool) -> list[str]:
        """Those that are dead, or nothing was heard of for a while, as the agent at the door knows.

        Args:
            nodes: Of which to tell.
            is_patient: Only of the dead.
        """
        try:
            rows = (await self.system.nodes()).rows
        except SsiError:
            return []
        return [
            row.name for row in rows if row.name in nodes and _is_silent(row, is_patient=is_patient)
        ]

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
        work = self._works[row.name] = _Work(row.name)
        work.task = asyncio.create_task(self._start_and_follow(row, work))
        backstop = asyncio.timeout(None if limit_s is None else limit_s + BACKSTOP_S)
        try:
            async with backstop:
                return await work.task
        except asyncio.CancelledError:
            if not work.untold:
                raise
            error = NotTold(node=row.name, signal=work.untold)
            return NodeRun(node=row.name, gpid=work.gpid, error=error)
        except TimeoutError:
            if not backstop.expired():
                raise
            return NodeRun(node=row.name, error=RanTooLong(node=row.name, after_s=limit_s or 0.0))
        except SsiError as exc:
            return NodeRun(node=row.name, gpid=work.gpid, error=exc)
        finally:
            del self._works[row.name]

    def _check_stopped(self, node: str) -> None:
        if self._stopped:
            raise NotRun(node=node, reason=self._stopped)

    async def _start_and_follow(self, row: NodeRow, work: _Work) -> NodeRun:
        self._check_stopped(row.name)
        if row.state in {NodeState.DEAD, NodeState.LEFT}:
            raise why_dead(row)
        spec = await self.prepare(row.name)
        self._check_stopped(row.name)
        source = self.source_of(row.name)
        brief = source is nothing and spec.terminal is None and not spec.detached
        start = JobHandle.start(
            self.system, row.name, spec, wait_ms=BRIEF_MS if brief else 0, no_input=brief
        )
        job = await begun(self.system, start, take_down)
        gpid = job.row.gpid
        if spec.detached:
            return NodeRun(node=row.name, gpid=gpid, notice=job.notice)
        work.job = job
        work.started.set()
        async with Limit(job, self.orders.limit_s) as limit:
            ended = await self._follow(job, row.name, source)
        if limit.is_over:
            error = RanTooLong(node=row.name, after_s=self.orders.limit_s or 0.0)
            return NodeRun(node=row.name, gpid=gpid, error=error)
        if ended.state is JobState.LOST or ended.exit_status is None:
            raise JobLost(gpid=gpid, node=row.name, reason=ended.problem)
        return NodeRun(
            node=row.name,
            gpid=gpid,
            exit_status=ended.exit_status,
            killed_by=ended.killed_by,
            notice=job.notice,
        )

    async def _follow(self, job: JobHandle, node: str, source: Source) -> JobRow:
        async def out(data: bytes) -> None:
            await self.audience.heard(node, "stdout", data)

        async def err(data: bytes) -> None:
            await self.audience.heard(node, "stderr", data)

        ended = await connect(job, source=source, sinks=(out, err))
        await job.release()
        return ended


def _is_silent(row: NodeRow, *, is_patient: bool) -> bool:
    if row.state in {NodeState.DEAD, NodeState.LEFT}:
        return True
    return not is_patient and (row.state is not NodeState.ALIVE or row.age_s > SILENT_S)


async def _tell(jobs: Sequence[JobHandle], number: int) -> None:
    """What cannot be told so ends by its lease."""
    told = await asyncio.gather(*(job.signal(number) for job in jobs), return_exceptions=True)
    for outcome in told:
        if isinstance(outcome, BaseException) and not isinstance(outcome, SsiError):
            raise outcome


async def nothing() -> bytes:
    """The input of a command that has none."""
    return b""
