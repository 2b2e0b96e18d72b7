"""What an agent says to a shim about the streams of its job; frames as in :mod:`messages`."""

from __future__ import annotations

from nodeagent.shim.message import Message
from ssi.model.job import StreamName, Terminal


class Read(Message, frozen=True, tag="read"):
    """Output from byte ``offset`` on: :class:`Data`, after at most ``wait_ms``.

    Bytes before ``offset`` have arrived and may be forgotten, unless ``peek``.

    Attributes:
        taken: Of a pipe to another job, which reads ahead: only bytes before this have arrived.
            Such a read is no sign of a client.
        modes: How the reader knows the job's terminal, as :class:`Data` tells it: it is answered
            without bytes once that has changed.
    """

    stream: StreamName
    offset: int
    limit_bytes: int
    wait_ms: int
    peek: bool = False
    taken: int | None = None
    modes: tuple[bool, bool] | None = None


class Data(Message, frozen=True, tag="data"):
    """Bytes of a stream from ``offset`` on; ``ended``: none follows.

    Attributes:
        is_raw: The job's terminal gives each key at once, and not lines.
        signal_keys: ``^C`` and the like are signals there.
    """

    offset: int
    data: bytes
    ended: bool
    is_raw: bool = False
    signal_keys: bool = True


class Write(Message, frozen=True, tag="write"):
    """Input from byte ``offset`` on: :class:`Accepted`, after at most ``wait_ms`` for room.

    Attributes:
        writer: Each writer numbers its own bytes, from 0; empty: one that has no id.
        terminal: The window of the writer: the job's terminal takes its size.
        from_job: The bytes are another job's output: no sign of a client.
    """

    offset: int
    data: bytes
    end: bool
    wait_ms: int
    writer: bytes = b""
    terminal: Terminal | None = None
    from_job: bool = False


class Accepted(Message, frozen=True, tag="accepted"):
    """All of the writer's input below ``offset`` is taken.

    Attributes:
        closed: The job reads no more.
        ended: The end of the input is taken, too.
    """

    offset: int
    closed: bool = False
    ended: bool = False


class CloseOutput(Message, frozen=True, tag="close-output"):
    """Nobody reads that stream any more, as the job will notice (SIGPIPE): :class:`Ok`."""

    stream: StreamName


class BreakInput(Message, frozen=True, tag="break-input"):
    """Bytes of the input are lost: the job is hung up, and remembers why: :class:`Ok`.

    It must not take what it has for all there was.
    """

    reason: str


class Resize(Message, frozen=True, tag="resize"):
    """Gives the terminal another size, that of no rows meaning the present one: :class:`Ok`.

    Attributes:
        repaint: Its foreground program shall draw the whole screen, whatever the size was.
    """

    terminal: Terminal
    repaint: bool = False
