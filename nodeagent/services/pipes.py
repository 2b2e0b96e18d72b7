"""Pipes between jobs: joined for their user, carried for those that read here, watched over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import msgspec

from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.peers import Peers
from nodeagent.pipes.finder import Finder
from nodeagent.pipes.pull import ROUNDS_UNTIL_GONE
from nodeagent.pipes.puller import Puller
from nodeagent.services.permission import owned_job
from nodeagent.services.standing import not_moving
from nodeagent.shim import lanemessages
from nodeagent.shim.messages import (
    Ok,
    Renew,
)
from nodeagent.shim.streammessages import (
    CloseOutput,
)
from nodeagent.shimlink import ShimGone
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, StreamName, StreamReader, StreamSource
from ssi.model.pipe import CannotJoin
from ssi.protocol.message import Done
from ssi.protocol.pipes import CloseStream, JoinStreams, LaneOpened, OpenLane, TakeStream
from ssi.protocol.refusals import JobMoved

ROUND_S: Final = 5.0
"""Between two looks at the jobs of this node whose output another job reads."""

SILENT_S: Final = 30.0
"""A reader that asked for nothing for so long is asked about: it is slow, or it is gone."""

ASK_S: Final = 5.0
MOST_HOPS: Final = 8
"""How often a job that moves is followed before whoever joins it is told that it moved."""

_log: Final = logging.getLogger(__name__)


class PipeService:
    """Handlers for pipes, and the work for them.

    Args:
        node: Name of this node.
        table: Its jobs.
        peers: Links to the others.
        let_go: Releases a job that has ended.
        tasks: In which pipes are carried.
    """

    def __init__(
        self,
        node: str,
        table: JobTable,
        peers: Peers,
        let_go: Callable[[Job], Awaitable[None]],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._node = node
        self._table = table
        self._peers = peers
        self._let_go = let_go
        self._tasks = tasks
        self._finder = Finder(node, peers)
        self._carried: set[int] = set()
        self._asked_about: set[tuple[int, StreamName]] = set()
        self._vain_rounds: dict[tuple[int, StreamName], int] = {}
        table.on_added.append(self._carry)

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to pipes."""
        dispatcher.serve(JoinStreams, self._join)
        dispatcher.serve(TakeStream, self._take)
        dispatcher.serve(CloseStream, self._close)
        dispatcher.serve(OpenLane, self._open_lane)

    async def run(self) -> None:
        """Looks after the readers of this node's jobs until cancelled."""
        while True:
            await asyncio.sleep(ROUND_S)
            for job in list(self._table.jobs.values()):
                for reader in job.row.readers:
                    if not reader.settled:
                        self._tasks.create_task(self._look_after(job, reader))

    # The job that reads

    async def _join(self, caller: Caller, body: JoinStreams) -> Done:
        job = owned_job(self._table, body.gpid, caller, self._node)
        if not _is_of(job.row.stdin_from, body):
            _check_ends(job.row, "stdin")
            if job.row.stdin_from is not None or body.gpid == body.source:
                reason = "it comes from another job already"
                raise CannotJoin(gpid=body.gpid, stream="stdin", reason=reason)
            node = await self._take_from(job, body)
            async with not_moving(job):  # else a move that has begun would not know of it
                job = owned_job(self._table, body.gpid, caller, self._node)
                if job.row.stdin_from is None:
                    source = StreamSource(gpid=body.source, stream=body.stream, node=node)
                    await self._note(job, stdin_from=source)
        self._carry(job)
        return Done()

    async def _take_from(self, job: Job, body: JoinStreams) -> str:
        """The source knows who reads it; where it is."""
        request = TakeStream(
            gpid=body.source, stream=body.stream, reader=body.gpid, node=self._node
        )
        node = body.node or self._node
        for _ in range(MOST_HOPS):
            try:
                await self._peers.ask_for(job.row.user, node, request, timeout_s=ASK_S)
            except JobMoved as exc:
                node = exc.node
            else:
                return node
        raise JobMoved(gpid=body.source, node=node)

    def _carry(self, job: Job) -> None:
        source = job.row.stdin_from
        if source is None or source.settled or job.row.gpid in self._carried:
            return
        self._carried.add(job.row.gpid)
        self._tasks.create_task(self._carry_on(job, source))

    async def _carry_on(self, job: Job, source: StreamSource) -> None:
        puller = Puller(job, source, self._peers, self._finder)
        _log.info("event=pipe gpid=%d source=%d", job.row.gpid, source.gpid)
        try:
            is_settled = await puller.run()
        finally:
            self._carried.discard(job.row.gpid)
        if is_settled:
            settled = msgspec.structs.replace(source, settled=True, node=puller.node)
            await self._note(job, stdin_from=settled)
        _log.info("event=pipe-ended gpid=%d settled=%s", job.row.gpid, is_settled)

    # The job that writes

    async def _take(self, caller: Caller, body: TakeStream) -> Done:
        job = owned_job(self._table, body.gpid, caller, self._node)
        async with not_moving(job):
            job = owned_job(self._table, body.gpid, caller, self._node)
            readers = {reader.stream: reader for reader in job.row.readers}
            before = readers.get(body.stream)
            if before is not None and before.gpid != body.reader:
                reason = f"job {before.gpid} reads it already"
                raise CannotJoin(gpid=body.gpid, stream=body.stream, reason=reason)
            if before is None:
                _check_ends(job.row, body.stream)
                if job.link is None:
                    reason = "it has ended, and its output is gone"
                    raise CannotJoin(gpid=body.gpid, stream=body.stream, reason=reason)
                readers[body.stream] = StreamReader(
                    stream=body.stream, gpid=body.reader, node=body.node
                )
                job.pulled_at_s[body.stream] = time.monotonic()
                await self._note(job, readers=tuple(readers.values()))
        return Done()

    async def _close(self, caller: Caller, body: CloseStream) -> Done:
        job = owned_job(self._table, body.gpid, caller, self._node)
        async with not_moving(job):  # what a shim is told that has been dumped is lost
            job = owned_job(self._table, body.gpid, caller, self._node)
            reader = job.reader_of(body.stream)
            if reader is not None and reader.gpid == body.reader:
                await self._settle(job, reader)
        return Done()

    async def _open_lane(self, caller: Caller, body: OpenLane) -> LaneOpened:
        job = owned_job(self._table, body.gpid, caller, self._node)
        reader = job.reader_of(body.stream)
        if reader is None or reader.gpid != body.reader:
            reason = f"job {body.reader} does not read it"
            raise CannotJoin(gpid=body.gpid, stream=body.stream, reason=reason)
        request = lanemessages.OpenLane(stream=body.stream, key=body.key)
        opened = await job.shim().ask(request, lanemessages.LaneOpened, ASK_S)
        return LaneOpened(port=opened.port)

    async def _settle(self, job: Job, reader: StreamReader) -> None:
        if job.link is not None:
            with suppress(ShimGone):
                await job.link.ask(CloseOutput(stream=reader.stream), Ok, ASK_S)
        readers = tuple(
            msgspec.structs.replace(each, settled=True) if each.stream == reader.stream else each
            for each in job.row.readers
        )
        await self._note(job, readers=readers)
        self._vain_rounds.pop((job.row.gpid, reader.stream), None)
        if job.release_asked and job.is_over and not job.is_read:
            await self._let_go(job)

    async def _look_after(self, job: Job, reader: StreamReader) -> None:
        """What has ended keeps its output until it is read; a silent reader is asked about."""
        key = (job.row.gpid, reader.stream)
        if job.is_over and job.link is not None:
            with suppress(SsiError):
                await job.link.ask(Renew(), Ok, ASK_S)
        now_s = time.monotonic()
        heard_s = job.pulled_at_s.setdefault(reader.stream, now_s)
        if now_s - heard_s < SILENT_S or key in self._asked_about or job.is_unsettled:
            return
        self._asked_about.add(key)
        try:
            await self._ask_about(job, reader)
        finally:
            self._asked_about.discard(key)

    async def _ask_about(self, job: Job, reader: StreamReader) -> None:
        """Sees to it that the reader's agent knows of the pipe, or that its end is noticed."""
        key = (job.row.gpid, reader.stream)
        sighting = await self._finder.find(reader.gpid, job.row.user)
        if sighting.node:
            self._vain_rounds.pop(key, None)
            request = JoinStreams(
                gpid=reader.gpid, source=job.row.gpid, stream=reader.stream, node=self._node
            )
            with suppress(SsiError):  # the next round asks again
                await self._peers.ask_for(job.row.user, sighting.node, request, timeout_s=ASK_S)
            return
        self._vain_rounds[key] = self._vain_rounds.get(key, 0) + 1 if sighting.certain else 0
        if self._vain_rounds[key] < ROUNDS_UNTIL_GONE:
            return
        _log.warning("event=pipe-reader-gone gpid=%d reader=%d", job.row.gpid, reader.gpid)
        with suppress(SsiError):  # the next round asks again
            async with not_moving(job):
                if self._table.jobs.get(job.row.gpid) is job:
                    await self._settle(job, reader)

    async def _note(self, job: Job, **changes: object) -> None:
        """Keeps what is new of a job, for agents after this one and on other nodes."""
        if self._table.jobs.get(job.row.gpid) is not job:
            return  # forgotten meanwhile
        job.become(job.row.state, **changes)
        with suppress(SsiError):  # its shim has ended; the record on the disk is there
            await job.note()


def _is_of(source: StreamSource | None, body: JoinStreams) -> bool:
    return source is not None and (source.gpid, source.stream) == (body.source, body.stream)


def _check_ends(row: JobRow, stream: StreamName) -> None:
    """Holds where a job has a pipe there."""
    reason = ""
    if row.has_terminal and not (stream == "stdin" and row.piped_stdin):
        reason = "it is a terminal"
    elif row.detached:
        reason = "it is a log" if stream != "stdin" else "it is empty"
    if reason:
        raise CannotJoin(gpid=row.gpid, stream=stream, reason=reason)
