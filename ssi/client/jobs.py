"""A job that this process holds on to: asked wherever it is, through moves and broken links."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from ssi.client.connection import Connection
from ssi.client.errors import DoorClosed
from ssi.client.system import Location, System
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobSpec, JobState, StreamName, Terminal
from ssi.model.shim import ShimSilent
from ssi.protocol.envelope import BULK_CHUNK_BYTES
from ssi.protocol.jobs import (
    DisownJob,
    JobReply,
    ReadStream,
    ReleaseJob,
    ResizeTerminal,
    SignalProcess,
    StartJob,
    StreamAccepted,
    StreamData,
    WaitJob,
    WriteStream,
)
from ssi.protocol.message import Done, ReplyMessage, RequestMessage
from ssi.protocol.pipes import JoinStreams
from ssi.protocol.refusals import (
    JobMoved,
    JobStandsStill,
    LinkDown,
    NodeDown,
    NoSuchProcess,
    TimedOut,
)

if TYPE_CHECKING:
    from ssi.client.hastening import Hastening

ReplyT = TypeVar("ReplyT", bound=ReplyMessage)

PATIENCE_S: Final = 30.0
"""How long a broken link or a silent node is waited for before a job counts as out of reach."""

_MOVING_S: Final = 0.02
"""Between two questions about a job that is just being moved."""

POLL_MS: Final = 10_000
"""How long one question for bytes or an exit stays open; it also renews the job's lease."""

FORGOT: Final = (
    "knows nothing of it any more: it was restarted, or another client saw the job's end"
)

START_TIMEOUT_S: Final = 20.0

BRIEF_MS: Final = 20
"""How long the reply to a start waits for the end of a job that reads nothing. To one that ends so
soon there is one request in place of six; what any other writes comes so much later at most."""


class JobHandle:
    """One job. Requests find it where it is now and are repeated when a link breaks.

    That is safe: reads and writes name their offsets, and signals and releases carry ids.

    Attributes:
        row: As last heard.
        notice: What the user should know of its start, a sentence; empty: nothing.
        unread: Keys for its terminal that it had not read when it ended.
        consumed: How much of what this handle gave to its stdin, a pipe, it had read then; None:
            unknown, as it is of a job that was found.
        has_input: Whether it can be given anything to read.
        output: All that it wrote to stdout and to stderr, where it has ended with its start and is
            released; None: that has to be read.
        seen: Is told the row that each question of :meth:`wait` brings.
    """

    def __init__(
        self,
        system: System,
        row: JobRow,
        notice: str = "",
        *,
        has_input: bool = True,
        output: tuple[bytes, bytes] | None = None,
    ) -> None:
        self.row = row
        self.notice = notice
        self.has_input = has_input
        self.output = output
        self.unread = b""
        self.consumed: int | None = None
        self.seen: Callable[[JobRow], None] = _unheeded
        self._is_own = False
        self._system = system
        self._node = row.node
        self._reconnecting = asyncio.Lock()
        self._writer = secrets.token_bytes(8)
        self._hastening: Hastening | None = None

    @classmethod
    async def start(
        cls,
        system: System,
        node: str,
        spec: JobSpec,
        *,
        wait_ms: int = 0,
        no_input: bool = False,
    ) -> JobHandle:
        """Starts a job on a node.

        Args:
            system: It.
            node: Name of the node.
            spec: What to start.
            wait_ms: How long to wait for a job that ends soon: then all is known with its start.
            no_input: Its stdin is to be at its end from the beginning.

        Raises:
            SsiError: It could not be started, or whether it was is unknown (``TimedOut``).
        """
        body = StartJob(spec=spec, wait_ms=wait_ms, no_input=no_input)
        reply = await system.ask(body, JobReply, node=node, timeout_s=START_TIMEOUT_S)
        made = cls(
            system, reply.row, reply.notice, has_input=not reply.no_input, output=reply.output
        )
        made._is_own = True
        return made

    @property
    def node(self) -> str:
        """Where it was heard of last."""
        return self._node

    @classmethod
    async def find(cls, system: System, gpid: int) -> JobHandle:
        """The job of that first gpid, wherever it is.

        Raises:
            NoSuchProcess: There is none.
            NotPermitted: It is another user's.
        """

        async def seen(location: Location) -> JobReply:
            return await system.ask(WaitJob(gpid=gpid, wait_ms=0), JobReply, node=location.node)

        return cls(system, (await system.follow(gpid, seen)).row)

    async def read(
        self,
        stream: StreamName,
        offset: int,
        *,
        peek: bool = False,
        wait_ms: int = POLL_MS,
        modes: tuple[bool, bool] | None = None,
    ) -> StreamData:
        """Bytes from ``offset`` on; empty after ``wait_ms`` without any.

        Empty also where a job's terminal is not as ``modes`` says any more: whether it gives each
        key at once, and whether ``^C`` and the like are signals.
        """
        body = ReadStream(
            gpid=self.row.gpid,
            stream=stream,
            offset=offset,
            limit_bytes=BULK_CHUNK_BYTES,
            wait_ms=wait_ms,
            peek=peek,
            modes=modes,
        )
        if self.output is not None:
            data = self.output[0 if stream == "stdout" else 1][offset:]
            return StreamData(offset=offset, data=data, ended=True)
        if not wait_ms:
            return await self._ask_what_there_is(body)
        if self._hastening is None or stream != "stdout" or modes is not None:
            return await self._ask(body, StreamData)
        return await self._hastening.read(
            offset, wait_ms / 1000, lambda: self._ask(body, StreamData)
        )

    async def _ask_what_there_is(self, body: ReadStream) -> StreamData:
        """What a stream has now. A job that is just being moved has more than it can show.

        Raises:
            JobStandsStill: For longer than is waited.
        """
        give_up_at_s = time.monotonic() + PATIENCE_S
        while (data := await self._ask(body, StreamData)).moving:
            if time.monotonic() > give_up_at_s:
                raise JobStandsStill(gpid=self.row.gpid, node=self._node)
            await asyncio.sleep(_MOVING_S)
        return data

    async def write(
        self, offset: int, data: bytes, *, end: bool = False, terminal: Terminal | None = None
    ) -> StreamAccepted:
        """Gives bytes from ``offset`` on; the reply says how far they were taken.

        Offsets count what this handle has given, from 0. The job's terminal takes the size of
        ``terminal``.
        """
        if self._hastening is not None and not end:
            taken = await self._hastening.write(offset, data, terminal)
            if taken is not None:
                return StreamAccepted(offset=taken)
        body = WriteStream(
            gpid=self.row.gpid,
            offset=offset,
            data=data,
            end=end,
            wait_ms=POLL_MS,
            writer=self._writer,
            terminal=terminal,
        )
        return await self._ask(body, StreamAccepted)

    def hasten(self, *, peek: bool = False, after_s: float = 0.0) -> None:
        """From now on a channel is sought, by which keys and output go straight.

        Until :meth:`dawdle`, which must come: a job is wanted as long as it has a channel.

        Args:
            peek: All reads will be so, and there will be no writes.
            after_s: Nothing is done for it before.
        """
        if self._hastening is None:
            # Most commands never do; ctypes takes 3 ms of those that do.
            from ssi.client.channel import Channel
            from ssi.client.hastening import Hastening

            gpid, writer = self.row.gpid, self._writer
            self._hastening = Hastening(
                lambda: Channel.open(self._system, self._node, gpid, writer, peek=peek), after_s
            )

    @property
    def way(self) -> str:
        """How keys go to it now, for who asks."""
        return "keys go through the agents" if self._hastening is None else self._hastening.way

    def dawdle(self) -> None:
        """Goes on by requests. Harmless twice."""
        if self._hastening is not None:
            self._hastening.end()
            self._hastening = None

    async def read_from(self, source: JobHandle, stream: StreamName) -> None:
        """Another job's stream is the stdin of this one from now on (:mod:`ssi.client.pipes`)."""
        body = JoinStreams(
            gpid=self.row.gpid, source=source.row.gpid, stream=stream, node=source.node
        )
        await self._ask(body, Done)

    async def wait(self) -> JobRow:
        """The job's row once it has ended.

        A job of which its node knows nothing any more is lost, as far as anybody can tell: of one
        in the foreground nothing is on its node's disk.
        """
        while self.output is None:
            body = WaitJob(gpid=self.row.gpid, wait_ms=POLL_MS)
            try:
                reply = await self._ask(body, JobReply)
            except NoSuchProcess:
                problem = f"{self._node} {FORGOT}"
                self.row = msgspec.structs.replace(
                    self.row, state=JobState.LOST, problem=problem, node=self._node
                )
                break
            self.row, self.unread = reply.row, reply.unread
            self.seen(self.row)
            self.consumed = reply.consumed if self._is_own else None
            if self.row.state in {JobState.EXITED, JobState.LOST}:
                break
        return self.row

    async def signal(self, number: int) -> None:
        """Sends a signal to every process of the job; one that has ended gets none."""
        body = SignalProcess(gpid=self.row.gpid, start_ms=self.row.start_ms, signal=number)
        try:
            await self._ask(body, Done)
        except NoSuchProcess:
            return

    async def resize(self, terminal: Terminal, *, repaint: bool = False) -> None:
        """Gives the job's terminal another size, and lets its program paint anew."""
        body = ResizeTerminal(gpid=self.row.gpid, terminal=terminal, repaint=repaint)
        await self._ask(body, Done)

    async def disown(self) -> None:
        """Lets the job go on without a client."""
        await self._ask(DisownJob(gpid=self.row.gpid), Done)

    async def release(self) -> None:
        """Says that nothing more is wanted of the job, which has ended."""
        if self.output is None:  # else it is released already
            await self._ask(ReleaseJob(gpid=self.row.gpid), Done)

    def release_later(self) -> None:
        """As :meth:`release`, which the caller's own end need not wait for.

        Where it cannot be said, the job's node lets go of the job by itself in time.
        """
        if self.output is None:
            self._system.later(self.release())

    async def _ask(self, body: RequestMessage, kind: type[ReplyT]) -> ReplyT:
        loop = asyncio.get_running_loop()
        give_up_at_s = loop.time() + PATIENCE_S
        request_id = secrets.token_bytes(16)
        pause_s = 0.05
        asked = {self._node}
        while True:
            try:
                return await self._system.ask(
                    body,
                    kind,
                    node=self._node,
                    timeout_s=POLL_MS / 1000 + 5.0,
                    request_id=request_id,
                )
            except JobMoved as exc:
                if loop.time() > give_up_at_s:
                    raise
                request_id = secrets.token_bytes(16)
                if exc.node not in asked:
                    self._node = exc.node
                    asked.add(exc.node)
                    continue
                # It went back and forth meanwhile: nodes that point at each other are asked at
                # leisure, and from then on every one of them again.
                self._node, asked = exc.node, set()
            except JobStandsStill:
                if loop.time() > give_up_at_s:
                    raise
                request_id = secrets.token_bytes(16)
            except (LinkDown, NodeDown, TimedOut, ShimSilent, DoorClosed) as exc:
                if loop.time() > give_up_at_s:
                    raise
                await self._mend(exc)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 1.0)

    async def _mend(self, error: SsiError) -> None:
        """Connects to the door again where that broke."""
        if not isinstance(error, DoorClosed):
            return
        async with self._reconnecting:
            broken = self._system.connection
            if not broken.is_closed:
                return  # another task has mended it
            try:
                self._system.connection = await Connection.open()
            except SsiError:
                return  # not there yet; the caller's patience bounds how often this is tried
            await broken.close()


def _unheeded(_row: JobRow) -> None:
    """Nobody wants to be told."""
