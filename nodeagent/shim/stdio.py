"""The standard streams of a job: pipes or a terminal at the job's side, numbered bytes at ours."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.mechanism.loop import Loop
from nodeagent.shim.log import Log
from nodeagent.shim.pump import Inlet, Outlet
from nodeagent.shim.sink import MemorySink, Sink, TerminalSink
from nodeagent.shim.state import SavedStream, save_bytes, stream_file
from nodeagent.shim.stream import Stream
from nodeagent.shim.terminal import ControllingTerminal
from ssi.model.job import StreamName
from ssi.model.shim import RestoreFailed

WIDE_BYTES: Final = 1024 * 1024
"""What a pipe may hold without root (``fs.pipe-max-size``)."""

_OF_TERMINAL: Final[tuple[StreamName, ...]] = ("stdin", "stdout")
_OUTPUTS: Final[tuple[StreamName, ...]] = ("stdout", "stderr")


@dataclass(slots=True)
class Stdio:
    """What the shim holds of a job's streams; all of it starts paused.

    Attributes:
        inlet: Its stdin; None where the job reads /dev/null.
        keys: What is typed at its terminal, where its stdin is a pipe beside that.
        job_ends: The job's ends by stream, until :meth:`close_job_ends`.
        inodes: Of the pipes, as /proc and CRIU call them; a terminal has none.
    """

    inlet: Inlet | None = None
    keys: Inlet | None = None
    outlets: dict[StreamName, Outlet] = field(default_factory=dict)
    job_ends: dict[StreamName, int] = field(default_factory=dict)
    inodes: dict[StreamName, int] = field(default_factory=dict)
    capacities: dict[StreamName, int] = field(default_factory=dict)

    def close_job_ends(self) -> None:
        """The job has its ends now."""
        for descriptor in set(self.job_ends.values()):
            os.close(descriptor)
        self.job_ends.clear()

    def widen(self, name: StreamName) -> None:
        """The pipe of a stream holds as much as it may, for many bytes to come."""
        pump = self.inlet if name == "stdin" else self.outlets.get(name)
        if pump is not None and self.capacities.get(name, WIDE_BYTES) < WIDE_BYTES:
            self.capacities[name] = pump.widen(WIDE_BYTES) or self.capacities[name]

    def resume(self) -> None:
        """Bytes move."""
        for pump in self._pumps():
            pump.resume()

    def pause(self) -> None:
        """No byte moves."""
        for pump in self._pumps():
            pump.pause()

    def collect(self) -> None:
        """What is in the pipes is in the streams; the job is stopped and the pumps are paused."""
        if self.inlet is not None:
            self.inlet.take_back()
        for outlet in self.outlets.values():
            outlet.drain()

    def catch_up(self) -> None:
        """What the job has written so far is in the streams, as far as there is room."""
        for outlet in self.outlets.values():
            outlet.catch_up()

    def finish(self) -> None:
        """No process is left that could write."""
        for outlet in self.outlets.values():
            outlet.finish()

    def close(self) -> None:
        """Lets go of all pipes; what is held in memory or logs stays."""
        for pump in self._pumps():
            pump.close()
        self.close_job_ends()

    def save(self, images: Path) -> tuple[SavedStream, ...]:
        """Writes what is held beside the images; see :meth:`collect`.

        Raises:
            OSError: No room for it.
        """
        saved: list[SavedStream] = []
        if self.inlet is not None:
            stream = self.inlet.stream
            save_bytes(images, "stdin", stream.peek(stream.start, stream.held)[1])
            closed = self.inlet.closed
            typed = self._saved("stdin", stream.start, ended=stream.ended, gone=closed)
            writers = self.inlet.writers.snapshot()
            saved.append(msgspec.structs.replace(typed, writers=writers))
        for name, outlet in self.outlets.items():
            sink = outlet.sink
            if isinstance(sink, Log):
                save_bytes(images, name, sink.content())
                start, note = 0, sink.note
            else:
                start, held = sink.read(0, sink.end, peek=True)
                save_bytes(images, name, held)
                note = b""
            gone = sink.ended and not outlet.refused  # the job holds the end that nobody reads
            kept = self._saved(name, start, ended=sink.ended, gone=gone, note=note)
            saved.append(msgspec.structs.replace(kept, refused=outlet.refused))
        return tuple(saved)

    def _pumps(self) -> Iterable[Inlet | Outlet]:
        inlets = (each for each in (self.inlet, self.keys) if each is not None)
        return (*inlets, *self.outlets.values())

    def _saved(
        self, name: StreamName, start: int, *, ended: bool, gone: bool, note: bytes = b""
    ) -> SavedStream:
        return SavedStream(
            name=name,
            inode=0 if gone else self.inodes.get(name, 0),
            capacity_bytes=self.capacities.get(name, 0),
            start=start,
            ended=ended,
            note=note,
        )


class SparePipes:
    """For streams of a job that is to be restored: which of them it has is told later."""

    def __init__(self, names: Iterable[StreamName]) -> None:
        """Makes them.

        Raises:
            OSError: No more descriptors.
        """
        self._ends: dict[StreamName, tuple[int, int]] = {}
        try:
            for name in names:
                self._ends[name] = _make_pipe(name)
        except OSError:
            self.close()
            raise

    @property
    def job_ends(self) -> tuple[int, ...]:
        """Descriptors that CRIU has to inherit."""
        return tuple(theirs for _, theirs in self._ends.values())

    def take(self, name: StreamName) -> tuple[int, int]:
        """Our end and that of the job; they are the caller's now."""
        return self._ends.pop(name)

    def close(self) -> None:
        """Lets go of those that were not taken."""
        for ends in self._ends.values():
            for descriptor in ends:
                os.close(descriptor)
        self._ends.clear()


def pipes(loop: Loop) -> Stdio:
    """Three pipes of a foreground job."""
    stdio = Stdio()
    stdio.inlet = Inlet(loop, _new_pipe(stdio, "stdin"), Stream(), terminal=False)
    for name in _OUTPUTS:
        stdio.outlets[name] = Outlet(loop, _new_pipe(stdio, name), MemorySink(Stream()))
    return stdio


def logged(loop: Loop, logs: Path, limit_bytes: int) -> Stdio:
    """Empty input, and output into log files."""
    stdio = Stdio()
    stdio.job_ends["stdin"] = os.open("/dev/null", os.O_RDONLY)
    for name in _OUTPUTS:
        stdio.outlets[name] = Outlet(loop, _new_pipe(stdio, name), Log(logs / name, limit_bytes))
    return stdio


def of_terminal(loop: Loop, terminal: ControllingTerminal, typed: Stream, shown: Stream) -> Stdio:
    """A terminal: one stream in, one out."""
    stdio = Stdio()
    slave = os.dup(terminal.slave)
    stdio.job_ends = {"stdin": slave, "stdout": slave, "stderr": slave}
    stdio.inlet = Inlet(loop, os.dup(terminal.master), typed, terminal=True)
    stdio.outlets["stdout"] = Outlet(loop, terminal.master, TerminalSink(shown))
    return stdio


def of_piped_terminal(
    loop: Loop, terminal: ControllingTerminal, typed: Stream, shown: Stream
) -> Stdio:
    """A terminal, of which the job gets keys by /dev/tty: its stdin is a pipe."""
    stdio = of_terminal(loop, terminal, typed, shown)
    stdio.keys = stdio.inlet
    stdio.inlet = Inlet(loop, _new_pipe(stdio, "stdin"), Stream(), terminal=False)
    return stdio


def restored_terminal(
    loop: Loop, saved: Iterable[SavedStream], images: Path, terminal: ControllingTerminal
) -> Stdio:
    """The streams of a job that comes from images, at a new terminal.

    Raises:
        RestoreFailed: The bytes of a stream are missing.
    """
    by_name = {stream.name: stream for stream in saved}
    typed, shown = (
        _stream_of(by_name[name], _content_of(by_name[name], images)) for name in _OF_TERMINAL
    )
    stdio = of_terminal(loop, terminal, typed, shown)
    assert stdio.inlet is not None
    stdio.inlet.writers.recall(by_name["stdin"].writers)
    return stdio


def restored(
    loop: Loop,
    saved: Iterable[SavedStream],
    images: Path,
    logs: str,
    limit_bytes: int,
    pipes: SparePipes,
) -> Stdio:
    """New pipes for a job that comes from images, holding what the old ones held.

    Those that it needs are taken from ``pipes``.

    Raises:
        RestoreFailed: The bytes of a stream are missing.
    """
    stdio = Stdio()
    for stream in saved:
        content = _content_of(stream, images)
        ours = _adopt_pipe(stdio, stream.name, *pipes.take(stream.name))
        if stream.name == "stdin":
            stdio.inlet = Inlet(loop, ours, _stream_of(stream, content), terminal=False)
            stdio.inlet.writers.recall(stream.writers)
        else:
            outlet = Outlet(loop, ours, _sink_of(stream, content, logs, limit_bytes))
            stdio.outlets[stream.name] = outlet
            if stream.refused:
                outlet.hang_up()
        _match(stdio, stream)
    return stdio


def _content_of(saved: SavedStream, images: Path) -> bytes:
    try:
        return stream_file(images, saved.name).read_bytes()
    except OSError as exc:
        reason = f"the bytes of its {saved.name} are missing: {exc.strerror}"
        raise RestoreFailed(reason=reason) from exc


def _stream_of(saved: SavedStream, content: bytes) -> Stream:
    stream = Stream(saved.start)
    stream.append(content)
    if saved.ended:
        stream.finish()
    return stream


def _sink_of(saved: SavedStream, content: bytes, logs: str, limit_bytes: int) -> Sink:
    if not logs:
        return MemorySink(_stream_of(saved, content))
    log = Log(Path(logs) / saved.name, limit_bytes)
    log.adopt(content, saved.note)
    if saved.ended:
        log.finish()
    return log


def _match(stdio: Stdio, saved: SavedStream) -> None:
    """Pipes are as large as the old ones; those that the job had closed are closed."""
    if saved.inode == 0:
        os.close(stdio.job_ends.pop(saved.name))
    elif stdio.capacities[saved.name] != saved.capacity_bytes:
        # A job may not have a large pipe everywhere; with a smaller one it waits more often.
        with contextlib.suppress(OSError):
            fcntl.fcntl(stdio.job_ends[saved.name], fcntl.F_SETPIPE_SZ, saved.capacity_bytes)


def _new_pipe(stdio: Stdio, name: StreamName) -> int:
    """Makes the pipe of a stream and returns our end."""
    return _adopt_pipe(stdio, name, *_make_pipe(name))


def _make_pipe(name: StreamName) -> tuple[int, int]:
    """Our end, which does not block, and that of the job."""
    read_end, write_end = os.pipe()
    ours, theirs = (write_end, read_end) if name == "stdin" else (read_end, write_end)
    os.set_blocking(ours, False)
    return ours, theirs


def _adopt_pipe(stdio: Stdio, name: StreamName, ours: int, theirs: int) -> int:
    stdio.inodes[name] = os.fstat(theirs).st_ino
    stdio.capacities[name] = fcntl.fcntl(theirs, fcntl.F_GETPIPE_SZ)
    stdio.job_ends[name] = theirs
    return ours
