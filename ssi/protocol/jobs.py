"""What is asked of jobs: to start, to read, to write, to wait, to signal."""

from __future__ import annotations

from typing import ClassVar, Final

from ssi.model import freezing  # noqa: F401 - what FreezeJob is refused with
from ssi.model.job import JobRow, JobSpec, StreamName, Terminal
from ssi.protocol.message import ReplyMessage, RequestMessage


class StartJob(RequestMessage, frozen=True, tag="start-job"):
    """Starts a job as the caller: :class:`JobReply`.

    Attributes:
        wait_ms: The reply waits so long for the end of a job with pipes, and where that and all of
            its output come by then, they are in it.
        no_input: Its stdin is at its end from the beginning.
    """

    mutating: ClassVar[bool] = True
    spec: JobSpec
    wait_ms: int = 0
    no_input: bool = False


class JobReply(ReplyMessage, frozen=True, tag="job"):
    """A job as it is now.

    Attributes:
        notice: What its user should know of its start, a sentence; empty: nothing.
        unread: Keys for its terminal that it had not read when it ended.
        no_input: Its stdin was at its end from the beginning, as its start asked for.
        output: All that it wrote to stdout and to stderr; it has ended and is released. None: that
            has to be read.
        consumed: How much of its stdin, a pipe, it had read when it ended; None: unknown.
    """

    row: JobRow
    notice: str = ""
    unread: bytes = b""
    no_input: bool = False
    output: tuple[bytes, bytes] | None = None
    consumed: int | None = None


class WaitJob(RequestMessage, frozen=True, tag="wait-job"):
    """Waits until a job has ended, at most ``wait_ms``: :class:`JobReply` as it then is."""

    gpid: int
    wait_ms: int


class ReadStream(RequestMessage, frozen=True, tag="read-stream"):
    """Reads a job's output from byte ``offset`` on: :class:`StreamData`.

    It waits at most ``wait_ms`` for the first byte. To ask at an offset says that all before it
    has arrived, so the shim may forget it. With ``peek`` it says nothing of the sort.

    Attributes:
        reader: Gpid of the job whose stdin the stream is; 0: it is read for a client, who may only
            look at a stream that has a reader.
        taken: The reader has all before that, while it reads ahead.
        modes: What the client knows of a terminal, ``is_raw`` and ``signal_keys`` of the reply: it
            is answered once these are others, also where there are no bytes.
    """

    bulk: ClassVar[bool] = True
    gpid: int
    stream: StreamName
    offset: int
    limit_bytes: int
    wait_ms: int
    peek: bool = False
    reader: int = 0
    taken: int = 0
    modes: tuple[bool, bool] | None = None


class StreamData(ReplyMessage, frozen=True, tag="stream-data"):
    """Bytes of a stream.

    Attributes:
        offset: Of the first byte of ``data``; beyond what was asked where older bytes are gone.
        ended: Nothing follows ``data``, ever.
        is_raw: The terminal gives its program each key at once, and not lines.
        signal_keys: ``^C`` and the like are signals at that terminal.
        moving: There may be more; the job is just being moved, and cannot be asked.
    """

    offset: int
    data: bytes
    ended: bool
    is_raw: bool = False
    signal_keys: bool = True
    moving: bool = False


class WriteStream(RequestMessage, frozen=True, tag="write-stream"):
    """Gives a job's stdin (or terminal) bytes from ``offset`` on: :class:`StreamAccepted`.

    Bytes below the accepted offset are dropped, so a repeated write does no harm. It waits at most
    ``wait_ms`` for room.

    Attributes:
        writer: Random, of each viewer that attaches; it numbers its own bytes from 0. Empty: a
            client that is the only one.
        terminal: The viewer's window: the job's terminal follows whoever typed last.
    """

    bulk: ClassVar[bool] = True
    gpid: int
    offset: int
    data: bytes
    end: bool
    wait_ms: int
    writer: bytes = b""
    terminal: Terminal | None = None


class StreamAccepted(ReplyMessage, frozen=True, tag="stream-accepted"):
    """All of the writer's bytes below ``offset`` are taken; ``closed``: the job reads no more."""

    offset: int
    closed: bool = False


class ResizeTerminal(RequestMessage, frozen=True, tag="resize-terminal"):
    """Gives a job's terminal another size, of no rows for the present one: :class:`Done`.

    With ``repaint`` its foreground program draws the whole screen, for a viewer who has just come.
    """

    gpid: int
    terminal: Terminal
    repaint: bool = False


class DisownJob(RequestMessage, frozen=True, tag="disown-job"):
    """A foreground job goes on without a client from now on: :class:`Done`. Harmless twice."""

    gpid: int


class ReleaseJob(RequestMessage, frozen=True, tag="release-job"):
    """The client has all it wanted of a job that ended: :class:`Done`."""

    gpid: int


ANY_START: Final = 0
"""As ``start_ms`` of a signal: whichever process bears the gpid when it arrives."""


class SignalProcess(RequestMessage, frozen=True, tag="signal-process"):
    """Sends a signal to one process, or to all of a job for the job's own gpid: :class:`Done`.

    ``start_ms`` is the identity that the user saw beside the gpid; a process of another start is
    another process, and gets nothing. 0: the user saw none, and means whoever bears it now.
    """

    mutating: ClassVar[bool] = True
    gpid: int
    start_ms: int
    signal: int


class FreezeJob(RequestMessage, frozen=True, tag="freeze-job"):
    """Freezes a job with the cgroup freezer, or thaws it; twice is harmless: :class:`JobReply`."""

    mutating: ClassVar[bool] = True
    gpid: int
    start_ms: int
    frozen: bool
