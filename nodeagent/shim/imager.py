"""Runs CRIU as a child of the shim, with a bound on its time, and tells how it went."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from nodeagent.mechanism import criu
from nodeagent.mechanism.closes import Listener
from nodeagent.mechanism.loop import Loop, Timer
from nodeagent.shim.child import Launch, start_child
from nodeagent.shim.messages import Account

TIME_LIMIT_S: Final = 600.0
"""Of one run; a gigabyte takes a few seconds."""

_BY_SIGNAL: Final = 128
_ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
}
_LOG_TAIL_BYTES: Final = 256 * 1024
_log: Final = logging.getLogger(__name__)

Done: TypeAlias = Callable[[str | None], None]
"""Takes why a run failed; None when it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of CRIU.

    Attributes:
        log: Name of its log file in the work directory.
        real: Whose real ids it must have; see :func:`~nodeagent.shim.worker.real_ids_of`.
        inherited: Our descriptors that it finds under their numbers.
        terminal: The slave of the job's terminal, where it has one: its standard input.
        cgroup: That it joins, and what it restores with it; empty: ours.
        limit_s: After which it is killed.
        closing: Called with the number of each descriptor before it closes that; None: with none.
    """

    arguments: Sequence[str]
    log: str
    real: Account | None = None
    inherited: tuple[int, ...] = ()
    terminal: int | None = None
    cgroup: str = ""
    limit_s: float = TIME_LIMIT_S
    closing: Callable[[int], None] | None = None


class Imager:
    """Runs CRIU, once at a time.

    Attributes:
        work: Directory for its logs.
        pid: Of the run; 0 between runs.
        was_killed: A signal ended the last one, wherever it had come to.
    """

    def __init__(self, loop: Loop, work: Path) -> None:
        self.work = work
        self.pid = 0
        self.was_killed = False
        self._loop = loop
        self._timer: Timer | None = None
        self._is_late = False
        self._closes: Listener | None = None

    @property
    def is_asked(self) -> bool:
        """Whether the run asks before it closes a descriptor."""
        return self._closes is not None

    def start(self, run: Run, done: Done) -> None:
        """Starts it; ``done`` is called once it has ended.

        Raises:
            OSError: It cannot be started.
        """
        if run.real is not None and not criu.KERNEL_FACTS.exists():
            # With ids of its own it cannot find these out; root leaves them for it.
            check = Run(arguments=criu.check_arguments(run.arguments[0]), log="")
            self._start(check, lambda _: self._start(run, done))
        else:
            self._start(run, done)

    def limit(self, limit_s: float = TIME_LIMIT_S) -> None:
        """It is killed that long from now, unless it has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_after(limit_s, self._give_up)

    def kill(self) -> None:
        """Ends the run; a tree that it was dumping runs on."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)

    def _give_up(self) -> None:
        self._is_late = True
        self.kill()

    def _start(self, run: Run, done: Done) -> None:
        assert self.pid == 0
        self._is_late = False
        self.work.mkdir(mode=0o711, exist_ok=True)
        held, hold = os.pipe()
        null = os.open("/dev/null", os.O_RDWR)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        output = os.open(self.work / "output", flags, 0o600)
        launch = Launch(
            argv=tuple(run.arguments),
            environment=_ENVIRONMENT,
            stdio=(null if run.terminal is None else run.terminal, output, output),
            inherited=run.inherited,
            real_account=run.real,
            terminal=run.terminal is not None,
            cgroup=run.cgroup,
            asks=None if run.closing is None else held,
        )
        try:
            child = start_child(launch)
            if run.closing is not None:
                self._listen(child.listener(), run.closing)
                os.write(hold, b"\n")
        finally:
            for descriptor in (null, output, held, hold):
                os.close(descriptor)
        self.pid = child.pid
        self.limit(run.limit_s)

        def ended(status: int) -> None:
            assert self._timer is not None
            self._timer.cancel()
            self.pid = 0
            self._listen_no_more()
            self.was_killed = status > _BY_SIGNAL
            refusal = child.refusal()
            reason = refusal.what() if refusal is not None else self._reason(status, run.log)
            _log.info("event=criu-ended command=%s status=%d", run.arguments[1], status)
            done(reason)

        self._loop.on_exit(self.pid, ended)

    def _listen(self, descriptor: int | None, closing: Callable[[int], None]) -> None:
        if descriptor is None:
            return
        closes = self._closes = Listener(descriptor)

        def asked() -> None:
            try:
                number = closes.hear()
            except OSError:  # it has ended
                self._listen_no_more()
                return
            if number is not None:
                closing(number)
                closes.answer()

        self._loop.watch(descriptor, readable=asked)

    def _listen_no_more(self) -> None:
        if self._closes is not None:
            self._loop.watch(self._closes.descriptor)
            os.close(self._closes.descriptor)
            self._closes = None

    def _reason(self, status: int, log: str) -> str | None:
        if status == 0:
            return None
        for name in (log, "output"):
            told = criu.first_error(self._tail(name)) if name else ""
            if told:
                return told
        if status == _BY_SIGNAL + signal.SIGKILL:
            return "criu took too long and was killed" if self._is_late else "criu was killed"
        return f"criu ended with status {status}"

    def _tail(self, name: str) -> str:
        try:
            with (self.work / name).open("rb") as file:
                return file.read(_LOG_TAIL_BYTES).decode(errors="replace")
        except OSError:
            return ""
