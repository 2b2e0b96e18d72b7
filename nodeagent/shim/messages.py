"""What an agent says to a keeper and to a shim, on their Unix sockets.

Frames are four bytes of length (big-endian), then msgpack. Any number of requests may be under way
on one connection; replies carry the request's number. An agent of a newer ssi meets shims of an
older one after an upgrade, so new fields have defaults and no field changes its place.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from nodeagent.shim.filemounts import Files
from nodeagent.shim.keepermessages import ForkShim, ShimForked
from nodeagent.shim.lanemessages import (
    AwaitLane,
    JoinLane,
    LaneOpened,
    LaneState,
    OpenChannel,
    OpenLane,
)
from nodeagent.shim.message import Message
from nodeagent.shim.streammessages import (
    Accepted,
    BreakInput,
    CloseOutput,
    Data,
    Read,
    Resize,
    Write,
)
from ssi.model.errors import FieldValue
from ssi.model.job import Terminal
from ssi.model.sentsignal import SentSignal

MAX_FRAME_BYTES: Final = 2 * 1024 * 1024
STREAM_BUFFER_BYTES: Final = 1024 * 1024
"""How much of a stream a shim holds in memory before it lets the job wait."""


# To a shim: life of a job


class Account(Message, frozen=True):
    """As whom a job runs."""

    user: str
    uid: int
    gid: int
    groups: tuple[int, ...]


class Start(Message, frozen=True, tag="start"):
    """Starts the command: :class:`Status` once it was executed.

    Failures: ``command-not-found``, ``command-not-executable``, ``cwd-missing``.

    Attributes:
        environment: The whole of it.
        cwds: Candidates in order; the first that the account can enter is taken.
        logs: Directory for ``stdout`` and ``stderr`` files of a detached job; empty: none.
        pid_base: The first pid in the job's namespace is this plus one.
        cgroup: Directory of the job's cgroup; empty: none.
        lease_s: A job without logs gets SIGHUP, and SIGKILL 5 s later, when no Read, Write or
            Renew came for so long; 0: never.
        files: What else it sees.
        piped_stdin: With a terminal: its stdin is a pipe, and only keys come by the terminal.
        no_input: Its stdin is a pipe that has ended.
    """

    account: Account
    argv: tuple[str, ...]
    environment: dict[str, str]
    cwds: tuple[str, ...]
    terminal: Terminal | None
    logs: str
    log_limit_bytes: int
    pid_base: int
    cgroup: str
    lease_s: float
    files: Files = Files()
    piped_stdin: bool = False
    no_input: bool = False


class GetStatus(Message, frozen=True, tag="get-status"):
    """How the job fares: :class:`Status`, after at most ``wait_ms`` or once it has ended.

    Attributes:
        output_bytes: Of its output where that has ended with it, is no more than this, and goes
            into pipes.
    """

    wait_ms: int = 0
    output_bytes: int = 0


class Status(Message, frozen=True, tag="status"):
    """A job as its shim sees it.

    Attributes:
        stage: ``empty`` (nothing started yet), ``running``, ``dumped`` (stopped, its images
            written), ``committed`` (killed after a dump, images kept), ``lent`` (frozen for its
            memory's sake, runs elsewhere), ``ready`` (restored up to the barrier), ``exited``.
        exit_status: 128 + N for signal N; of an exited job.
        killed_by: The signal that ended its first process; 0 for none.
        dumped_core: The kernel wrote a core file of that.
        root_pid: First process, as the host sees it; 0 where there is none.
        note: What the agent last gave with :class:`SetNote`.
        doing: What is under way between two stages, such as a dump; empty: nothing.
        problem: Why the job was lost; empty where it was not.
        unread: Keys for its terminal that it had not read when it ended.
        no_input: Its stdin is at its end; said in reply to its start alone.
        output: All of its stdout and stderr, where it was asked for and can be given.
        consumed: How much of its stdin, a pipe, it had read when it ended; None: unknown.
        has_channels: It knows :class:`~nodeagent.shim.lanemessages.OpenChannel`.
        stands_by: It knows :class:`StandByToDump`.
        copies_ahead: It knows :class:`CopyAhead`.
    """

    stage: str
    shim_pid: int
    exit_status: int | None = None
    root_pid: int = 0
    note: bytes = b""
    epoch: int = 1
    doing: str = ""
    problem: str = ""
    killed_by: int = 0
    dumped_core: bool = False
    unread: bytes = b""
    no_input: bool = False
    output: tuple[bytes, bytes] | None = None
    has_channels: bool = False
    consumed: int | None = None
    stands_by: bool = False
    copies_ahead: bool = False


class SetNote(Message, frozen=True, tag="set-note"):
    """Gives the shim something to keep for an agent that comes after this one: :class:`Ok`."""

    note: bytes


class Renew(Message, frozen=True, tag="renew"):
    """Renews the lease of a foreground job, or ends it (``lease_s`` 0: never again): ``Ok``."""

    lease_s: float | None = None


class Release(Message, frozen=True, tag="release"):
    """The shim of an exited, committed or empty job may end; a ready job is dropped: ``Ok``.

    Attributes:
        again: Where nothing is left of the job, it may wait for another one of the same user.
    """

    again: bool = False


class Ok(Message, frozen=True, tag="ok"):
    """Done.

    Attributes:
        ready: The shim that was released waits for a :class:`ForkShim` on this connection, as a
            fresh one, and ends with it.
        sent: Signals to the job that its images do not have.
    """

    ready: bool = False
    sent: tuple[SentSignal, ...] = ()


class SendSignals(Message, frozen=True, tag="send-signals"):
    """Processes of the job get signals, in this order: :class:`Ok`. Who has ended, gets none."""

    signals: tuple[SentSignal, ...]


class Failed(Message, frozen=True, tag="failed"):
    """It failed: the word and fields of an SsiError."""

    word: str
    fields: dict[str, FieldValue]


# To a shim: migration


class StandByToDump(Message, frozen=True, tag="stand-by-to-dump"):
    """A dump follows soon: CRIU is loaded ahead of it: :class:`Ok`.

    Only to a shim that says that it :attr:`Status.stands_by`; so the next.

    Attributes:
        criu: As in :class:`Dump`.
        lazy: Likewise.
    """

    criu: str
    lazy: bool = False


class StandByToRestore(Message, frozen=True, tag="stand-by-to-restore"):
    """To an empty shim: a restore follows soon, and CRIU is loaded ahead of it: :class:`Ok`.

    Attributes:
        criu: As in :class:`Restore`.
        cgroup: Likewise.
        account: Whose job it will be.
        terminal: It has one.
    """

    criu: str
    cgroup: str
    account: Account
    terminal: bool


class CopyAhead(Message, frozen=True, tag="copy-ahead"):
    """Writes memory of the job, which runs on: :class:`Ok`.

    Only to a shim that :attr:`Status.copies_ahead`. After a failure no such images may be the
    parent of others: it is not known what they lack.

    Attributes:
        criu: As in :class:`Dump`.
        images: An existing directory.
        parent: Images of the request before, as a path from ``images``: only what was written to
            since is in these; empty: all of it.
    """

    criu: str
    images: str
    parent: str = ""


class Dump(Message, frozen=True, tag="dump"):
    """Writes images of the job and leaves it stopped: :class:`Dumped`. On failure it runs on.

    Attributes:
        lazy: Most of its memory stays with the stopped processes and is not in the images.
        parent: Images of the last :class:`CopyAhead`, as a path from ``images``, which have the
            memory that was not written to since; empty: all of it is in these.
    """

    criu: str
    images: str
    lazy: bool = False
    parent: str = ""


class Dumped(Message, frozen=True, tag="dumped"):
    """The job is stopped and its images are written.

    Attributes:
        state: What another shim needs beside the files of the image directory, all of which
            must travel (what the streams hold is there too). Opaque to the agent.
        freeze_started_s: CLOCK_REALTIME when the first process stopped.
    """

    state: bytes
    freeze_started_s: float
    dump_ms: float


class Thaw(Message, frozen=True, tag="thaw"):
    """The move is off: the dumped job runs on here: :class:`Ok`."""


class Commit(Message, frozen=True, tag="commit"):
    """Kills and reaps the dumped job, keeping its images: :class:`Ok`, with what was sent to it."""


class Lend(Message, frozen=True, tag="lend"):
    """The job that was dumped lazily runs elsewhere from now on: as :class:`Commit`.

    Its processes here are only the keepers of its memory, frozen, and never run again.
    """


class DropLent(Message, frozen=True, tag="drop-lent"):
    """All of a lent job's memory is elsewhere, or lost: kills what is here and ends.

    As :class:`Commit`.
    """


class Lose(Message, frozen=True, tag="lose"):
    """Memory of the job will never come: kills it, and remembers why: :class:`Ok`."""

    reason: str


class RestoreHere(Message, frozen=True, tag="restore-here"):
    """After a commit that came to nothing: runs the job again from its images: ``Status``."""


class Restore(Message, frozen=True, tag="restore"):
    """To an empty shim: restores up to the barrier: :class:`Ready`.

    Attributes:
        logs: Directory for the logs of a detached job; empty: as where it comes from.
        frozen: Its cgroup is frozen before it runs again.
        revived: It waits for no client: it was one of a checkpoint.
        pages: Unix socket where CRIU gets memory that is not in the images; empty: all is there.
        files: What else it sees.
    """

    criu: str
    images: str
    state: bytes
    cgroup: str
    epoch: int
    logs: str = ""
    frozen: bool = False
    revived: bool = False
    pages: str = ""
    files: Files = Files()


class Ready(Message, frozen=True, tag="ready"):
    """The job stands at the barrier."""

    restore_ms: float
    root_pid: int


class Resume(Message, frozen=True, tag="resume"):
    """Lets a ready job run: :class:`Resumed`."""


class Resumed(Message, frozen=True, tag="resumed"):
    """It runs, since that CLOCK_REALTIME."""

    at_s: float


_OfLife: TypeAlias = ForkShim | Start | GetStatus | SetNote | Renew | Release
_OfStreams: TypeAlias = Read | Write | CloseOutput | BreakInput | Resize
_OfLanes: TypeAlias = OpenLane | OpenChannel | JoinLane | AwaitLane
_OfStandBy: TypeAlias = StandByToDump | StandByToRestore
_OfDumps: TypeAlias = CopyAhead | Dump
_OfMoves: TypeAlias = (
    _OfDumps | Thaw | Commit | Lend | DropLent | Lose | RestoreHere | Restore | Resume | SendSignals
)
RequestMessage: TypeAlias = _OfLife | _OfStreams | _OfLanes | _OfStandBy | _OfMoves

ReplyMessage: TypeAlias = (
    ShimForked
    | Status
    | Data
    | Accepted
    | LaneOpened
    | LaneState
    | Ok
    | Failed
    | Dumped
    | Ready
    | Resumed
)


class RequestFrame(msgspec.Struct, frozen=True, array_like=True):
    """A numbered request."""

    number: int
    body: RequestMessage


class ReplyFrame(msgspec.Struct, frozen=True, array_like=True):
    """The reply to the request of that number."""

    number: int
    body: ReplyMessage
