"""Reads and writes of a job's streams, and who is there for them."""

from __future__ import annotations

import time
from typing import Final, Protocol

from nodeagent.mechanism.loop import Loop, Timer
from nodeagent.shim.job import Job
from nodeagent.shim.server import Answer, Attempt
from nodeagent.shim.sink import MemorySink, TerminalSink
from nodeagent.shim.stage import Stage
from nodeagent.shim.streammessages import (
    Accepted,
    Data,
    Read,
    Write,
)
from ssi.model.job import StreamName
from ssi.model.shim import WrongStage

VIEWER_PATIENCE_S: Final = 20.0
"""How long a terminal waits for a viewer that went away; then its job runs on without one."""

LOOK_FIRST_S: Final = 0.01
LOOK_LAST_S: Final = 0.1
"""Between two looks at the modes of a terminal, for who waits for a change of them: the kernel
tells nobody (packet mode does with EXTPROC alone, which takes the line editing away; tty_ioctl(4)).
The pauses double: a program changes them when it begins, or when it was given something."""

_MOST_DATA_BYTES: Final = 1024 * 1024

ECHO_S: Final = 0.002
"""How long the word that keys were taken waits, so that their echo goes first: a person waits for
that, and each process on its way handles one after the other. A terminal echoes within 0.1 ms."""


class Client(Protocol):
    """Somebody who wants something of a job, as long as he is there."""

    @property
    def wanted(self) -> bool:
        """Whether he is."""


class Poll(Protocol):
    """Answers once the attempt has something, or after so many milliseconds."""

    def __call__(
        self, answer: Answer, wait_ms: int, attempt: Attempt, behind_s: float = 0.0
    ) -> None:
        """See :meth:`~nodeagent.shim.server.Server.long_poll`."""


class Streams:
    """What clients read and write of the job."""

    def __init__(self, loop: Loop, job: Job, poll: Poll) -> None:
        self._loop = loop
        self._job = job
        self._poll = poll
        self._users: list[Client] = []
        self._viewers: list[Client] = []
        self._viewed_s = time.monotonic()
        self._viewer_timer: Timer | None = None
        loop.after_events(self._await_viewer)

    @property
    def in_use(self) -> bool:
        """Whether somebody waits for a stream now."""
        return any(user.wanted for user in self._users)

    def disown(self) -> None:
        """Nobody needs to come back: a terminal without a viewer lets its job run on."""
        self._viewers = []
        self._let_run()

    def attend(self, client: Client, *, peek: bool) -> None:
        """He reads and writes by a way of his own from now on, as long as he is there."""
        self._note_user(client)
        if not peek:
            self._note_viewer(client)

    def read(self, request: Read, answer: Answer) -> None:
        """Answers with :class:`~nodeagent.shim.messages.Data`.

        Raises:
            WrongStage: There is no job.
        """
        job = self._job
        if request.taken is None:
            self._note_user(answer)
            if not request.peek:
                self._note_viewer(answer)
        limit_bytes = min(max(1, request.limit_bytes), _MOST_DATA_BYTES)

        def attempt(expired: bool) -> Data | None:
            outlet = job.stdio.outlets.get(request.stream)
            if outlet is None:
                if job.stage is Stage.EMPTY:
                    raise WrongStage(request="read", stage=job.stage)
                return Data(offset=request.offset, data=b"", ended=True)
            sink = outlet.sink
            if request.taken is not None:
                sink.read(request.taken, 0, peek=False)
            peek = request.peek or request.taken is not None
            offset, data = sink.read(request.offset, limit_bytes, peek=peek)
            outlet.settle()
            ended = sink.ended and offset + len(data) >= sink.end
            is_quiet = not (data or ended or expired)
            if is_quiet and request.modes is None:
                return None
            modes = job.terminal.modes() if job.terminal is not None else None
            if is_quiet and modes in {None, request.modes}:
                return None
            if modes is None:
                return Data(offset=offset, data=data, ended=ended)
            raw, signals = modes
            return Data(offset=offset, data=data, ended=ended, is_raw=raw, signal_keys=signals)

        self._poll(answer, request.wait_ms, attempt)
        if request.modes is not None:
            self._look(answer, LOOK_FIRST_S)

    def _look(self, answer: Answer, pause_s: float) -> None:
        """Lets who waits be looked after again and again: each call is followed by an attempt."""
        if answer.wanted:
            longer_s = min(2 * pause_s, LOOK_LAST_S)
            self._loop.call_after(pause_s, lambda: self._look(answer, longer_s))

    def write(self, request: Write, answer: Answer) -> None:
        """Answers with :class:`~nodeagent.shim.messages.Accepted`.

        Raises:
            WrongStage: There is no job.
        """
        job = self._job
        if not request.from_job:
            self._note_user(answer)
        wanted = request.offset + len(request.data)
        if request.terminal is not None:
            job.resize(request.terminal)

        def attempt(expired: bool) -> Accepted | None:
            # What people type is for the terminal; a pipe beside it is another job's.
            keys = None if request.from_job else job.stdio.keys
            inlet = keys or job.stdio.inlet
            if job.stage is Stage.EMPTY:
                raise WrongStage(request="write", stage=job.stage)
            if inlet is None or inlet.closed or job.stage is Stage.EXITED:
                return Accepted(offset=request.offset, closed=True)
            before = inlet.writers.taken(request.writer, request.offset)
            taken = inlet.take(request.writer, request.offset, request.data, end=request.end)
            progress = taken > before or (taken >= wanted and not request.end)
            if progress or inlet.stream.ended or inlet.closed or expired:
                ended = inlet.stream.ended
                return Accepted(offset=taken, closed=inlet.closed, ended=ended)
            return None

        is_typed = job.terminal is not None and not request.from_job and bool(request.data)
        self._poll(answer, request.wait_ms, attempt, ECHO_S if is_typed else 0.0)

    def end_input(self) -> bool:
        """Nobody will write: the job's stdin ends; False where it is no pipe."""
        inlet = self._job.stdio.inlet
        if inlet is None or self._job.terminal is not None:
            return False
        inlet.take(b"", 0, b"", end=True)
        return True

    def whole_output(self, limit_bytes: int) -> tuple[bytes, bytes] | None:
        """All that the job wrote into its pipes; None where more may come, or it is too much."""
        outlets = self._job.stdio.outlets
        sinks = [outlets[name].sink for name in ("stdout", "stderr") if name in outlets]
        if len(sinks) != 2 or not all(isinstance(s, MemorySink) and s.ended for s in sinks):
            return None
        if sum(sink.end for sink in sinks) > limit_bytes:
            return None
        (first, stdout), (second, stderr) = (s.read(0, limit_bytes, peek=True) for s in sinks)
        return None if first or second else (stdout, stderr)

    def close_output(self, stream: StreamName) -> None:
        """Nobody reads that stream any more."""
        outlet = self._job.stdio.outlets.get(stream)
        if outlet is not None:
            outlet.hang_up()

    def _note_user(self, client: Client) -> None:
        """Somebody reads or writes: the job is wanted, now and as long as he waits."""
        self._job.renew()
        self._users = [*(user for user in self._users if user.wanted), client]

    def _note_viewer(self, client: Client) -> None:
        self._viewed_s = time.monotonic()
        self._viewers = [*(viewer for viewer in self._viewers if viewer.wanted), client]
        sink = self._terminal_sink()
        if sink is not None:
            sink.awaited = True

    def _await_viewer(self) -> None:
        """After each batch of events: looks again in time whether a viewer is there."""
        sink = self._terminal_sink()
        if sink is not None and sink.awaited and self._viewer_timer is None:
            self._viewer_timer = self._loop.call_after(VIEWER_PATIENCE_S, self._check_viewer)

    def _check_viewer(self) -> None:
        self._viewer_timer = None
        now_s = time.monotonic()
        if any(viewer.wanted for viewer in self._viewers):
            self._viewed_s = now_s
        if now_s - self._viewed_s >= VIEWER_PATIENCE_S:
            self._let_run()

    def _let_run(self) -> None:
        sink = self._terminal_sink()
        if sink is not None:
            sink.awaited = False
            self._job.stdio.outlets["stdout"].settle()

    def _terminal_sink(self) -> TerminalSink | None:
        outlet = self._job.stdio.outlets.get("stdout")
        return outlet.sink if outlet and isinstance(outlet.sink, TerminalSink) else None
