"""Reads and writes of a job's streams, and who is there for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeAlias

from nodeagent.mechanism.loop import Loop, Timer
from nodeagent.shim import messages as m
from nodeagent.shim.job import Job
from nodeagent.shim.server import Answer, Attempt
from nodeagent.shim.sink import TerminalSink
from nodeagent.shim.stage import Stage
from ssi.model.job import StreamName
from ssi.model.shim import WrongStage

VIEWER_PATIENCE_S: Final = 20.0
"""How long a terminal waits for a viewer that went away; then its job runs on without one."""

_MOST_DATA_BYTES: Final = 1024 * 1024

Poll: TypeAlias = Callable[[Answer, int, Attempt], None]
"""Answers once the attempt has something, or after so many milliseconds."""


class Streams:
    """What clients read and write of the job."""

    def __init__(self, loop: Loop, job: Job, poll: Poll) -> None:
        self._loop = loop
        self._job = job
        self._poll = poll
        self._users: list[Answer] = []
        self._viewers: list[Answer] = []
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

    def read(self, request: m.Read, answer: Answer) -> None:
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

        def attempt(expired: bool) -> m.Data | None:
            outlet = job.stdio.outlets.get(request.stream)
            if outlet is None:
                if job.stage is Stage.EMPTY:
                    raise WrongStage(request="read", stage=job.stage)
                return m.Data(offset=request.offset, data=b"", ended=True)
            sink = outlet.sink
            if request.taken is not None:
                sink.read(request.taken, 0, peek=False)
            peek = request.peek or request.taken is not None
            offset, data = sink.read(request.offset, limit_bytes, peek=peek)
            outlet.settle()
            ended = sink.ended and offset + len(data) >= sink.end
            if not (data or ended or expired):
                return None
            modes = job.terminal.modes() if job.terminal is not None else None
            if modes is None:
                return m.Data(offset=offset, data=data, ended=ended)
            raw, signals = modes
            return m.Data(offset=offset, data=data, ended=ended, is_raw=raw, signal_keys=signals)

        self._poll(answer, request.wait_ms, attempt)

    def write(self, request: m.Write, answer: Answer) -> None:
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

        def attempt(expired: bool) -> m.Accepted | None:
            # What people type is for the terminal; a pipe beside it is another job's.
            keys = None if request.from_job else job.stdio.keys
            inlet = keys or job.stdio.inlet
            if job.stage is Stage.EMPTY:
                raise WrongStage(request="write", stage=job.stage)
            if inlet is None or inlet.closed or job.stage is Stage.EXITED:
                return m.Accepted(offset=request.offset, closed=True)
            before = inlet.writers.taken(request.writer, request.offset)
            taken = inlet.take(request.writer, request.offset, request.data, end=request.end)
            progress = taken > before or (taken >= wanted and not request.end)
            if progress or inlet.stream.ended or inlet.closed or expired:
                ended = inlet.stream.ended
                return m.Accepted(offset=taken, closed=inlet.closed, ended=ended)
            return None

        self._poll(answer, request.wait_ms, attempt)

    def close_output(self, stream: StreamName) -> None:
        """Nobody reads that stream any more."""
        outlet = self._job.stdio.outlets.get(stream)
        if outlet is not None:
            outlet.hang_up()

    def _note_user(self, answer: Answer) -> None:
        """Somebody reads or writes: the job is wanted, now and as long as he waits."""
        self._job.renew()
        self._users = [*(user for user in self._users if user.wanted), answer]

    def _note_viewer(self, answer: Answer) -> None:
        self._viewed_s = time.monotonic()
        self._viewers = [*(viewer for viewer in self._viewers if viewer.wanted), answer]
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
