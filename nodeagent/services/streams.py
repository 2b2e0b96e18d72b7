"""Input, output and terminal of jobs: what a client reads and writes, passed to the shim."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Final

from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.services.permission import owned_job
from nodeagent.services.standing import is_open, until_it_goes_on, until_settled
from nodeagent.shim import lanemessages
from nodeagent.shim.messages import (
    GetStatus,
    Ok,
    Status,
)
from nodeagent.shim.streammessages import (
    Accepted,
    Data,
    Read,
    Resize,
    Write,
)
from nodeagent.shimlink import ShimGone
from ssi.model.job import JobState
from ssi.model.pipe import CannotJoin, StreamLost
from ssi.protocol.channel import OpenChannel
from ssi.protocol.envelope import BULK_CHUNK_BYTES
from ssi.protocol.jobs import ReadStream, ResizeTerminal, StreamAccepted, StreamData, WriteStream
from ssi.protocol.message import Done
from ssi.protocol.pipes import LaneOpened
from ssi.protocol.refusals import NotServed

MAX_WAIT_MS: Final = 30_000
"""The longest that one read or write may wait; clients ask again."""

MOST_WRITER_BYTES: Final = 16
"""Of a writer's id."""

GRACE_S: Final = 10.0
"""What a shim gets beyond the wait before it counts as gone."""


class StreamService:
    """Handlers for streams; each answers for its owner and root only."""

    def __init__(self, node: str, table: JobTable) -> None:
        self._node = node
        self._table = table

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to streams."""
        dispatcher.serve(ReadStream, self._read)
        dispatcher.serve(WriteStream, self._write)
        dispatcher.serve(ResizeTerminal, self._resize)
        dispatcher.serve(OpenChannel, self._open_channel)

    async def _read(self, caller: Caller, body: ReadStream) -> StreamData:
        job = await self._settled_job(caller, body.gpid, body.wait_ms)
        if body.reader:
            return await self._read_for_job(caller, job, body)
        wait_ms = min(body.wait_ms, MAX_WAIT_MS)
        if job.row.state is JobState.MIGRATING:
            return StreamData(offset=body.offset, data=b"", ended=False, moving=True)
        if job.link is None:
            return _from_log(job, body)
        read = Read(
            stream=body.stream,
            offset=body.offset,
            limit_bytes=min(body.limit_bytes, BULK_CHUNK_BYTES),
            wait_ms=wait_ms,
            # What another job reads, a client may only look at.
            peek=body.peek or job.reader_of(body.stream) is not None,
            modes=body.modes,
        )
        try:
            data = await job.link.ask(read, Data, wait_ms / 1000 + GRACE_S)
        except ShimGone:
            # It moved while somebody read, or it was detached and its shim ended with it.
            job = await self._settled_job(caller, body.gpid, MAX_WAIT_MS)
            if is_open(job):  # it may write more, where it was given to
                return StreamData(offset=body.offset, data=b"", ended=False, moving=True)
            job.bury()
            return _from_log(job, body)
        if data.ended and job.stage != "running":
            # The copy here was killed when its move was committed: its pipes have ended, the job
            # has not.
            await self._settled_job(caller, body.gpid, MAX_WAIT_MS)
            return StreamData(offset=body.offset, data=b"", ended=False, moving=True)
        return StreamData(
            offset=data.offset,
            data=data.data,
            ended=data.ended,
            is_raw=data.is_raw,
            signal_keys=data.signal_keys,
        )

    async def _read_for_job(self, caller: Caller, job: Job, body: ReadStream) -> StreamData:
        """Bytes for the stdin of another job; ``ended`` is said only where it is the whole truth.

        Raises:
            CannotJoin: It is not that job that reads the stream.
            StreamLost: The job or its shim was lost, and with it perhaps bytes.
        """
        reader = job.reader_of(body.stream)
        if reader is None or reader.gpid != body.reader:
            reason = f"job {body.reader} does not read it"
            raise CannotJoin(gpid=body.gpid, stream=body.stream, reason=reason)
        job.pulled_at_s[body.stream] = time.monotonic()
        wait_ms = min(body.wait_ms, MAX_WAIT_MS)
        nothing = StreamData(offset=body.offset, data=b"", ended=False, moving=True)
        if job.row.state is JobState.MIGRATING:
            return nothing
        if job.link is None:
            raise self._lost(body, job.row.problem or "it has ended, and nothing holds its output")
        read = Read(
            stream=body.stream,
            offset=body.offset,
            limit_bytes=min(body.limit_bytes, BULK_CHUNK_BYTES),
            wait_ms=wait_ms,
            taken=body.taken,
        )
        try:
            data = await job.link.ask(read, Data, wait_ms / 1000 + GRACE_S)
            status = await job.link.ask(GetStatus(), Status, GRACE_S) if data.ended else None
        except ShimGone:
            job = await self._settled_job(caller, body.gpid, MAX_WAIT_MS)
            if is_open(job):
                return nothing
            reason = job.row.problem or "the process that held its output has ended"
            raise self._lost(body, reason) from None
        job.pulled_at_s[body.stream] = time.monotonic()
        if status is not None and job.stage != "running":  # see above
            await self._settled_job(caller, body.gpid, MAX_WAIT_MS)
            return nothing
        if status is not None and status.problem:
            raise self._lost(body, status.problem)
        return StreamData(offset=data.offset, data=data.data, ended=data.ended)

    def _lost(self, body: ReadStream, reason: str) -> StreamLost:
        return StreamLost(gpid=body.gpid, stream=body.stream, node=self._node, reason=reason)

    async def _write(self, caller: Caller, body: WriteStream) -> StreamAccepted:
        job = await self._settled_job(caller, body.gpid, body.wait_ms)
        wait_ms = min(body.wait_ms, MAX_WAIT_MS)
        if job.row.state is JobState.MIGRATING:
            return StreamAccepted(offset=body.offset)
        write = Write(
            offset=body.offset,
            data=body.data,
            end=body.end,
            wait_ms=wait_ms,
            writer=body.writer[:MOST_WRITER_BYTES],
            terminal=body.terminal,
        )
        try:
            accepted = await job.shim().ask(write, Accepted, wait_ms / 1000 + GRACE_S)
        except ShimGone:
            await self._settled_job(caller, body.gpid, MAX_WAIT_MS)
            raise
        return StreamAccepted(offset=accepted.offset, closed=accepted.closed)

    async def _settled_job(self, caller: Caller, gpid: int, wait_ms: int) -> Job:
        """The job, after at most ``wait_ms`` for a move of it to end.

        Raises:
            JobMoved: It has gone to another node.
            SsiError: As :func:`owned_job`.
        """
        job = owned_job(self._table, gpid, caller, self._node)
        if job.row.state is not JobState.MIGRATING and job.stage == "running":
            return job
        await until_settled(job, min(wait_ms, MAX_WAIT_MS) / 1000)
        return owned_job(self._table, gpid, caller, self._node)

    async def _resize(self, caller: Caller, body: ResizeTerminal) -> Done:
        owned_job(self._table, body.gpid, caller, self._node)
        job = await until_it_goes_on(self._table, body.gpid)
        resize = Resize(terminal=body.terminal, repaint=body.repaint)
        await job.shim().ask(resize, Ok, GRACE_S)
        return Done()

    async def _open_channel(self, caller: Caller, body: OpenChannel) -> LaneOpened:
        """A shim from before an upgrade may not know what a channel is.

        Raises:
            NotServed: That is so, or another job reads its output.
        """
        job = owned_job(self._table, body.gpid, caller, self._node)
        link = job.shim()
        status = await link.ask(GetStatus(), Status, GRACE_S)
        if not status.has_channels or job.reader_of("stdout") is not None:
            raise NotServed(node=self._node, request="open-channel")
        request = lanemessages.OpenChannel(
            writer=body.writer[:MOST_WRITER_BYTES], key=body.key, peek=body.peek
        )
        opened = await link.ask(request, lanemessages.LaneOpened, GRACE_S)
        return LaneOpened(port=opened.port)


def _from_log(job: Job, body: ReadStream) -> StreamData:
    """What the log of an ended job holds; nothing where it has none."""
    with suppress(FileNotFoundError), (job.record / body.stream).open("rb") as log:
        end = os.fstat(log.fileno()).st_size
        offset = min(max(body.offset, 0), end)
        data = os.pread(log.fileno(), min(max(body.limit_bytes, 0), BULK_CHUNK_BYTES), offset)
        return StreamData(offset=offset, data=data, ended=offset + len(data) >= end)
    return StreamData(offset=body.offset, data=b"", ended=True)
