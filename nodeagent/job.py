"""A job as the agent of its node holds it: its row, the link to its shim, its processes' names."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from nodeagent.files import replace_file
from nodeagent.mechanism.pinned import Identity
from nodeagent.mechanism.procfs import is_dying
from nodeagent.services.members import Membership
from nodeagent.shim.messages import GetStatus, Ok, SetNote, Status
from nodeagent.shimlink import ShimGone, ShimLink, ShimSilent
from ssi.model.errors import SsiError
from ssi.model.job import TRANSITIONS, JobRow, JobState, StreamName, StreamReader
from ssi.model.sentsignal import SentSignal
from ssi.model.unreadable import UNREADABLE
from ssi.protocol.refusals import NotAJob

_log = logging.getLogger(__name__)

MOST_OUTPUT_BYTES = 1024
"""Of a job's output that may come with its end, and with the reply to its start: thousands of such
replies are remembered."""

ROW_NAME = "job.json"
"""Where the row of a job is kept, in one of its directories."""

_LAST_WORDS_S = 0.2
"""Within so long after a failed dump it is known whether the job ends, too."""

STATUS_POLL_S = 60.0
"""How long one question for a job's end may stay open at its shim."""


class Note(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What the shim keeps for an agent that comes after this one.

    Attributes:
        members: Inner pid, gpid, birth and start ticks of each process that was named.
        destination: Node that it is being given to; empty where it is not.
        source: Node that it comes from, while it stands at the barrier.
        carried: Files here that go away with it.
        copies: Of these what it only read when they were brought: when each was changed last, ns.
        sent: Signals that came to its copy here after it was dumped.
    """

    row: JobRow
    members: tuple[tuple[int, int, int, int], ...] = ()
    destination: str = ""
    source: str = ""
    carried: tuple[str, ...] = ()
    copies: dict[str, int] = {}
    sent: tuple[SentSignal, ...] = ()


class Pledge(msgspec.Struct, frozen=True, kw_only=True):
    """That the job was given away, kept beside its row while its copy here is being killed.

    A shim knows whether that was done; where it is gone, the copy is dead in either case, and the
    one at the destination is the job.

    Attributes:
        destination: Node that has it at the barrier.
        carried: Files here that go away with it.
    """

    destination: str
    carried: tuple[str, ...] = ()


class ExitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a shim leaves when its job has ended.

    Attributes:
        exit_status: 128 + N for signal N.
        ended_ms: Wall-clock milliseconds.
        problem: Why it was lost, where it was.
        killed_by: The signal that ended its first process; 0 for none.
        dumped_core: The kernel wrote a core file of that.
    """

    exit_status: int
    ended_ms: int
    problem: str = ""
    killed_by: int = 0
    dumped_core: bool = False


@dataclass(slots=True, kw_only=True)
class Job:
    """One job of this node.

    Attributes:
        row: As faces see it; replaced whole.
        sockets: Directory of its shim's socket.
        record: Directory of what outlives a reboot: ``job.json`` and its logs.
        lasting: Whether it has such a directory. A job that a client waits for, and that has not
            begun to move, ends with its machine: what a later agent must know of it is kept beside
            its socket, in memory.
        link: To its shim; None once that has ended.
        shim_pid: As the host sees it; 0 once it has ended.
        mounts_seen: The state of the host's mounts that its shim was made in, where that may be
            used again afterwards; -1: it may not.
        root_pid: First process of the job, as the host sees it; 0 where there is none.
        stage: How far a move of it has come; see :class:`ssi.protocol.migration.Ownership`.
        destination: Node that it is being given to; empty where it is not.
        source: Node that it comes from, while it stands at the barrier.
        carried: Files here that go away with it: it writes them, or brought them.
        copies: Of these what it only read when they were brought: when each was changed last, ns.
        identities: What it had open at these paths when it was dumped last, as far as this agent
            knows.
        sent: Signals that came to its copy here after it was dumped; for where it goes on.
        arriving: Part of its memory is still where it came from.
        released: Its client has let go of it: only those who were there still hear of it.
        forgetting: It is forgotten in a moment.
        release_asked: Its client has, but another job has not read all of its output yet.
        pulled_at_s: When another job last asked for a stream of it, by the monotonic clock.
        moving: Held while a move of it is led from here.
        stopping: Held while its processes are being stopped, and no dump begins.
        dumping: It is dumped, or is about to be, and will go on here.
        pledged: The copy here will not run again, whatever becomes of the move.
        returning: It was given away and lost there, and could not be restored here yet.
        doomed: It was killed while it stood still, and its move is to come to nothing.
        ended: Set when the job has ended here, or left.
        left_cgroup: It has ended, and its cgroup is removed.
        unread: Keys for its terminal that it had not read when it ended.
        consumed: How much of its stdin, a pipe, it had read then; None: unknown.
        output: All that it wrote, where it has ended with little; kept for its start alone.
    """

    row: JobRow
    sockets: Path
    record: Path
    membership: Membership
    lasting: bool = True
    link: ShimLink | None = None
    shim_pid: int = 0
    mounts_seen: int = -1
    root_pid: int = 0
    stage: str = "running"
    destination: str = ""
    source: str = ""
    carried: list[str] = field(default_factory=list)
    copies: dict[str, int] = field(default_factory=dict)
    identities: dict[str, Identity | None] = field(default_factory=dict)
    sent: tuple[SentSignal, ...] = ()
    arriving: bool = False
    released: bool = False
    forgetting: bool = False
    release_asked: bool = False
    pulled_at_s: dict[StreamName, float] = field(default_factory=dict)
    moving: asyncio.Lock = field(default_factory=asyncio.Lock)
    stopping: asyncio.Lock = field(default_factory=asyncio.Lock)
    dumping: bool = False
    pledged: bool = False
    returning: bool = False
    doomed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    left_cgroup: bool = False
    unread: bytes = b""
    consumed: int | None = None
    output: tuple[bytes, bytes] | None = None
    _noted: Note | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing of it can run any more."""
        return self.row.state in {JobState.EXITED, JobState.LOST}

    @property
    def is_unsettled(self) -> bool:
        """Whether a move of it has begun and not ended."""
        return self.stage != "running" or self.row.state is JobState.MIGRATING

    @property
    def stands_still(self) -> bool:
        """Whether what is done to its processes now would be lost, or disturb a dump of them."""
        return self.is_unsettled or self.dumping

    def reader_of(self, stream: StreamName) -> StreamReader | None:
        """Which other job reads that stream of it; None for none, or one that wants no more."""
        readers = (reader for reader in self.row.readers if not reader.settled)
        return next((reader for reader in readers if reader.stream == stream), None)

    @property
    def is_read(self) -> bool:
        """Whether another job has not read all of its output yet."""
        return any(not reader.settled for reader in self.row.readers)

    def shim(self) -> ShimLink:
        """The link to its shim.

        Raises:
            NotAJob: The job has ended and its shim with it.
        """
        if self.link is None:
            raise NotAJob(gpid=self.row.gpid, node=self.row.node)
        return self.link

    def become(self, state: JobState, **changes: object) -> None:
        """Takes a step of its life; one that the table does not have is a bug."""
        before = self.row.state
        assert state is before or state in TRANSITIONS[before], (self.row.gpid, before, state)
        self.row = msgspec.structs.replace(self.row, state=state, **changes)
        # A reboot ends no duty towards who detached it, or towards the node that it is given to.
        self.lasting = self.lasting or self.row.detached or state is JobState.MIGRATING
        if self.lasting or not _is_told_by_shim(before, state):
            try:
                self.save()
            except OSError as exc:  # the disk is full: the job goes on, and its shim holds a note
                _log.error("event=job-not-saved gpid=%d reason=%s", self.row.gpid, exc)
        _log.info("event=job gpid=%d before=%s after=%s", self.row.gpid, before, state)

    def save(self) -> None:
        """Keeps the row for an agent that finds the shim gone.

        Raises:
            OSError: The disk is full; what was kept before is untouched.
        """
        if self.lasting:
            self.record.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = self.record if self.lasting else self.sockets
        replace_file(directory / ROW_NAME, msgspec.json.encode(self.row), durable=False)

    async def note(self) -> None:
        """Gives the shim what a later agent needs, where it has changed."""
        note = Note(
            row=self.row,
            members=self.membership.snapshot(),
            destination=self.destination,
            source=self.source,
            carried=tuple(self.carried),
            copies=self.copies,
            sent=self.sent,
        )
        if self.link is not None and note != self._noted:
            await self.link.ask(SetNote(note=msgspec.msgpack.encode(note)), Ok, 5.0)
            self._noted = note

    async def try_to_note(self) -> None:
        """As :meth:`note`, for whom nobody waits: once begun, it is in the shim's socket."""
        try:
            await self.note()
        except (ShimGone, ShimSilent):  # `true` may have ended by now
            return
        except SsiError as exc:
            _log.warning("event=not-noted gpid=%d reason=%s", self.row.gpid, exc)

    def recall(self, note: Note) -> None:
        """Takes over what an earlier agent noted."""
        self.row = note.row
        self.membership.recall(note.members)
        self.destination, self.source = note.destination, note.source
        self.carried, self.copies = list(note.carried), note.copies
        self.sent = note.sent
        self._noted = note

    def pledge(self) -> None:
        """Notes to whom the job is given, before its copy here is killed."""
        self.pledged = True
        pledge = Pledge(destination=self.destination, carried=tuple(self.carried))
        try:
            replace_file(self._pledge_path, msgspec.json.encode(pledge), durable=False)
        except OSError as exc:  # the disk is full: it only counts if the shim dies now, too
            _log.warning("event=not-pledged gpid=%d reason=%s", self.row.gpid, exc)

    def withdraw_pledge(self) -> None:
        """The job is to run here again."""
        self.pledged = False
        self._pledge_path.unlink(missing_ok=True)

    @property
    def _pledge_path(self) -> Path:
        return self.record / "pledge"

    def _recall_pledge(self) -> bool:
        """Whether the job was given away when its shim died; then that is taken up again."""
        try:
            pledge = msgspec.json.decode(self._pledge_path.read_bytes(), type=Pledge)
        except (FileNotFoundError, *UNREADABLE):
            return False
        self.stage, self.destination = "committed", pledge.destination
        self.carried = list(pledge.carried)
        return True

    async def is_ending(self) -> bool:
        """Whether it is over, or is in a moment: what ended a dump of it may have ended it, too."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), _LAST_WORDS_S)
        return self.is_over or (self.root_pid > 0 and is_dying(self.root_pid))

    async def watch(self) -> None:
        """Waits for the end of the job and notes it. Returns when it has ended or its shim has."""
        try:
            while True:
                ask = GetStatus(wait_ms=int(STATUS_POLL_S * 1000), output_bytes=MOST_OUTPUT_BYTES)
                try:
                    status = await self.shim().ask(ask, Status, STATUS_POLL_S + 10.0)
                except ShimSilent as exc:  # it is busy with a dump, or somebody stopped it
                    _log.warning("event=shim-silent gpid=%d reason=%s", self.row.gpid, exc)
                    continue
                if status.exit_status is not None:
                    self.unread, self.output = status.unread, status.output
                    self.consumed = status.consumed
                    self._end(_record_of(status, status.exit_status))
                    return
        except ShimGone:
            if self.stage != "moved":
                self.bury()

    def bury(self) -> None:
        """Notes the end of a job whose shim has ended: with its status, or as lost.

        One that was given away is neither: its destination decides.
        """
        self.link, self.shim_pid, self.root_pid = None, 0, 0
        if self.is_over:
            self.ended.set()
            return
        try:
            content = (self.sockets / "exit.json").read_bytes()
            record = msgspec.json.decode(content, type=ExitRecord)
        except (FileNotFoundError, *UNREADABLE):
            if self._recall_pledge():
                return
            problem = "its shim ended without a word: killed, or its machine was restarted"
            self.become(JobState.LOST, problem=problem, ended_ms=int(time.time() * 1000))
        else:
            self._end(record)
        self.ended.set()

    def _end(self, record: ExitRecord) -> None:
        if record.problem and not self.is_over:
            self.become(
                JobState.LOST, problem=record.problem, ended_ms=record.ended_ms, processes=0
            )
        if not self.is_over:
            self.become(
                JobState.EXITED,
                exit_status=record.exit_status,
                killed_by=record.killed_by,
                dumped_core=record.dumped_core,
                ended_ms=record.ended_ms,
                processes=0,
            )
        self.root_pid = 0
        self.ended.set()


def _is_told_by_shim(before: JobState, after: JobState) -> bool:
    """Whether a later agent learns of a step without its row: from a shim, or from what it left."""
    started = before is JobState.STARTING and after is JobState.RUNNING
    return started or after in {JobState.EXITED, JobState.LOST}


def _record_of(status: Status, exit_status: int) -> ExitRecord:
    """What a shim tells of the end of its job, now."""
    return ExitRecord(
        exit_status=exit_status,
        ended_ms=int(time.time() * 1000),
        problem=status.problem,
        killed_by=status.killed_by,
        dumped_core=status.dumped_core,
    )
