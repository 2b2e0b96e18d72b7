"""Does what :mod:`nodeagent.pipes.pull` decides, for one pipe."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine
from typing import Any, Final, assert_never

import msgspec

from nodeagent.job import Job
from nodeagent.mechanism.aesgcm import KEY_BYTES
from nodeagent.peers import Peers
from nodeagent.pipes import pull
from nodeagent.pipes.event import (
    Arrived,
    Broken,
    Event,
    Lane,
    LaneOver,
    ReaderEnded,
    ReaderSilent,
    SourceLost,
    SourceMoved,
    SourceSilent,
    SourceSought,
    SourceUnknown,
    Taken,
    Told,
    Woke,
)
from nodeagent.pipes.finder import Finder
from nodeagent.pipes.instruction import (
    Break,
    Fetch,
    Give,
    Instruction,
    Pause,
    Probe,
    Seek,
    Settle,
    Tell,
    UseLane,
)
from nodeagent.pipes.pull import Pull
from nodeagent.shim.lanemessages import AwaitLane, JoinLane, LaneState
from nodeagent.shim.messages import (
    Ok,
)
from nodeagent.shim.streammessages import (
    Accepted,
    BreakInput,
    Write,
)
from ssi.model.errors import SsiError
from ssi.model.job import JobState, StreamSource
from ssi.model.pipe import CannotJoin, StreamLost
from ssi.model.shim import ShimFailed, ShimGone, ShimSilent, WrongStage
from ssi.protocol.jobs import ReadStream, StreamData
from ssi.protocol.pipes import CloseStream, LaneOpened, OpenLane
from ssi.protocol.refusals import JobMoved, NoSuchProcess, NotPermitted, NotServed

WAIT_MS: Final = 10_000
"""How long one question for bytes, or for room, stays open."""

GRACE_S: Final = 10.0
"""What an answer may take beyond that."""

SHIM_S: Final = 10.0

_log: Final = logging.getLogger(__name__)


def writer_of(source: StreamSource) -> bytes:
    """Under which id the bytes of a pipe are numbered in the reader's shim."""
    return source.gpid.to_bytes(8, "big") + source.stream[:4].encode()


class Puller:
    """Carries the bytes of one pipe to a job of this node, until that has all, ends or leaves."""

    def __init__(self, job: Job, source: StreamSource, peers: Peers, finder: Finder) -> None:
        self._job = job
        self._source = source
        self._peers = peers
        self._finder = finder
        self._pull = Pull(source.node)
        self._lanes: dict[Lane, asyncio.Task[Event]] = {}

    @property
    def node(self) -> str:
        """Where the job that writes was found last."""
        return self._pull.node

    async def run(self) -> bool:
        """Whether nothing is left to be done; else the job went to another node."""
        ending: asyncio.Task[Event] = asyncio.ensure_future(self._await_end())
        try:
            if not self._begin(self._pull.begin()):
                return True
            while True:
                waiting = {*self._lanes.values(), *(() if ending.done() else (ending,))}
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if ending.done() and not self._job.is_over:
                    return False
                for task in [task for task in waiting if task.done()]:
                    if self._is_wanted(task, ending) and not self._begin(
                        self._pull.handle(task.result())
                    ):
                        return True
        except _Left:
            return False
        finally:
            for task in (ending, *self._lanes.values()):
                task.cancel()
            await asyncio.gather(ending, *self._lanes.values(), return_exceptions=True)

    def _is_wanted(self, task: asyncio.Task[Event], ending: asyncio.Task[Event]) -> bool:
        """Its lane is free; not wanted is what another instruction has taken the place of."""
        lane = next((lane for lane, held in self._lanes.items() if held is task), None)
        if lane is not None:
            del self._lanes[lane]
        return lane is not None or task is ending

    def _begin(self, instructions: list[Instruction]) -> bool:
        """Does them; false after the last of all."""
        for instruction in instructions:
            if isinstance(instruction, Settle):
                return False
            lane = _lane_of(instruction)
            before = self._lanes.pop(lane, None)
            if before is not None:
                before.cancel()
            self._lanes[lane] = asyncio.ensure_future(self._do(instruction))
        return True

    async def _await_end(self) -> Event:
        await self._job.ended.wait()
        return ReaderEnded()

    async def _do(self, instruction: Instruction) -> Event:
        match instruction:
            case Probe():
                return await self._give(Write(offset=0, data=b"", end=False, wait_ms=0))
            case Give():
                data, end = instruction.data, instruction.end
                return await self._give(
                    Write(offset=instruction.offset, data=data, end=end, wait_ms=WAIT_MS)
                )
            case Break():
                return await self._break(instruction.reason)
            case Pause():
                await asyncio.sleep(instruction.pause_s)
                return Woke(instruction.lane)
            case Settle():
                raise AssertionError(instruction)
            case _:
                return await self._do_at_source(instruction)

    async def _do_at_source(self, instruction: Fetch | UseLane | Tell | Seek) -> Event:
        match instruction:
            case Fetch():
                return await self._ask_source(self._fetch(instruction))
            case UseLane():
                return await self._ask_source(self._use_lane(instruction.node))
            case Tell():
                return await self._ask_source(self._tell(instruction.node))
            case Seek():
                found = await self._finder.find(self._source.gpid, self._job.row.user)
                if found.node:
                    return SourceMoved(found.node)
                return SourceSought(certain=found.certain)
            case _:
                assert_never(instruction)

    async def _fetch(self, fetch: Fetch) -> Event:
        wait_ms = WAIT_MS if fetch.waits else 0
        request = ReadStream(
            gpid=self._source.gpid,
            stream=self._source.stream,
            offset=fetch.offset,
            limit_bytes=pull.CHUNK_BYTES,
            wait_ms=wait_ms,
            reader=self._job.row.gpid,
            taken=fetch.taken,
        )
        reply = await self._peers.ask_for(
            self._job.row.user, fetch.node, request, timeout_s=wait_ms / 1000 + GRACE_S
        )
        if not isinstance(reply, StreamData):
            return SourceSilent()
        return Arrived(offset=reply.offset, data=reply.data, ended=reply.ended)

    async def _use_lane(self, node: str) -> Event:
        key = os.urandom(KEY_BYTES)
        source, job = self._source, self._job
        request = OpenLane(gpid=source.gpid, stream=source.stream, reader=job.row.gpid, key=key)
        try:
            reply = await self._peers.ask_for(job.row.user, node, request, timeout_s=GRACE_S)
            if isinstance(reply, LaneOpened):
                address = self._peers.address(node) or "127.0.0.1"
                await self._carry_by_lane(
                    JoinLane(writer=writer_of(source), address=address, port=reply.port, key=key)
                )
        except (ShimGone, ShimSilent, ShimFailed, WrongStage, NotServed) as exc:
            _log.info("event=no-lane gpid=%d reason=%s", job.row.gpid, exc)
        return LaneOver()

    async def _carry_by_lane(self, join: JoinLane) -> None:
        link = self._job.shim()
        await link.ask(join, Ok, SHIM_S)
        over = False
        while not over:
            state = await link.ask(AwaitLane(wait_ms=WAIT_MS), LaneState, WAIT_MS / 1000 + SHIM_S)
            over = state.over

    async def _tell(self, node: str) -> Event:
        request = CloseStream(
            gpid=self._source.gpid, stream=self._source.stream, reader=self._job.row.gpid
        )
        await self._peers.ask_for(self._job.row.user, node, request, timeout_s=GRACE_S)
        return Told()

    async def _ask_source(self, asking: Coroutine[Any, Any, Event]) -> Event:
        try:
            return await asking
        except JobMoved as exc:
            return SourceMoved(exc.node)
        except NoSuchProcess:
            return SourceUnknown()
        except (StreamLost, CannotJoin, NotPermitted) as exc:
            return SourceLost(exc.what())
        except SsiError as exc:
            _log.info("event=pipe-source-silent gpid=%d reason=%s", self._job.row.gpid, exc)
            return SourceSilent()

    async def _give(self, write: Write) -> Event:
        """Raises _Left where the job is on another node by now."""
        job = self._job
        if job.is_over:
            return ReaderEnded()
        if job.stage in {"lent", "moved"}:
            raise _Left
        if job.row.state is JobState.MIGRATING or job.stage != "running" or job.link is None:
            return ReaderSilent()
        write = msgspec.structs.replace(write, writer=writer_of(self._source), from_job=True)
        try:
            accepted = await job.link.ask(write, Accepted, write.wait_ms / 1000 + SHIM_S)
        except SsiError:
            return ReaderSilent()
        return Taken(offset=accepted.offset, closed=accepted.closed, ended=accepted.ended)

    async def _break(self, reason: str) -> Event:
        source = self._source
        told = f"its input is lost: {source.stream} of job {source.gpid}: {reason}"
        _log.warning("event=pipe-broken gpid=%d reason=%s", self._job.row.gpid, reason)
        try:
            async with self._job.moving:  # what a shim is told that has been dumped is lost
                if self._job.is_over or self._job.link is None or self._job.is_unsettled:
                    return ReaderSilent()
                await self._job.link.ask(BreakInput(reason=told), Ok, SHIM_S)
        except SsiError:
            return ReaderSilent()
        return Broken()


class _Left(Exception):
    """The job that reads runs on another node."""


def _lane_of(instruction: Instruction) -> Lane:
    match instruction:
        case Pause():
            return instruction.lane
        case Probe() | Give() | Break():
            return "reader"
        case _:
            return "source"
