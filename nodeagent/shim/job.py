"""The job of a shim: its first process, its streams, its stage, and how it ends."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from nodeagent.files import replace_file
from nodeagent.mechanism import namespaces
from nodeagent.mechanism.loop import Loop, Timer, exit_status_of
from nodeagent.mechanism.namespaces import HostProc
from nodeagent.shim import jobmounts, stdio
from nodeagent.shim.child import Child, Launch, start_child
from nodeagent.shim.latememory import LateMemory
from nodeagent.shim.lease import GRACE_S, Lease
from nodeagent.shim.messages import Account, Start
from nodeagent.shim.stage import Stage, Step, next_stage
from nodeagent.shim.stdio import Stdio
from nodeagent.shim.stream import Stream
from nodeagent.shim.terminal import ControllingTerminal
from ssi.model.errors import SsiError
from ssi.model.job import Terminal
from ssi.model.launch import StartFailed
from ssi.model.shim import ShimFailed, WrongStage

_log: Final = logging.getLogger(__name__)

Started: TypeAlias = Callable[[SsiError | None], None]

REPAINT_S: Final = 0.05
"""Between the two sizes that let a program paint anew: time to notice the first."""

MOST_UNREAD_BYTES: Final = 16 * 1024
"""Of what was typed ahead; a terminal holds 4 KiB."""

DEATH_LIMIT_S: Final = 10.0
"""For all processes of a killed job to be gone."""


class Job:
    """See the module.

    Attributes:
        directory: Of the shim; ``exit.json`` is written there.
        host: The host's /proc, where the job has pids of its own; None where it shares the host's.
        doing: What is under way between two stages; empty: nothing.
        root: The first process, as the job sees it; 0 where there is none.
        cgroup: Directory of its cgroup; empty for none.
        logs: Directory of its logs; empty for a foreground job.
        memory: What is still on its way of its memory; None where all is here.
        wait_status: How its first process ended, as wait(2) tells it; None while it lives.
        problem: Why it was lost; empty where it was not.
        unread: Keys for its terminal that it had not read when it ended.
        consumed: How much of the input in its pipe it had read then; None: unknown.
    """

    def __init__(self, loop: Loop, directory: Path, host: HostProc | None) -> None:
        self.loop = loop
        self.directory = directory
        self.host = host
        self.stage = Stage.EMPTY
        self.doing = ""
        self.root = 0
        self.wait_status: int | None = None
        self.problem = ""
        self.unread = b""
        self.consumed: int | None = None
        self.memory: LateMemory | None = None
        self.epoch = 1
        self.note = b""
        self.account: Account | None = None
        self.stdio = Stdio()
        self.terminal: ControllingTerminal | None = None
        self.terminal_size: Terminal | None = None
        self._repaint: Timer | None = None
        self.cgroup = ""
        self.logs = ""
        self.log_limit_bytes = 0
        self.lease = Lease(0, time.monotonic())

    @property
    def exit_status(self) -> int | None:
        """As a shell has it, 128 + N for signal N; None while its first process lives."""
        return None if self.wait_status is None else exit_status_of(self.wait_status)

    @property
    def killed_by(self) -> int:
        """The signal that ended its first process; 0 where none did."""
        return 0 if self.wait_status is None else os.WTERMSIG(self.wait_status)

    @property
    def dumped_core(self) -> bool:
        """Whether the kernel wrote a core file of its first process."""
        return self.wait_status is not None and os.WCOREDUMP(self.wait_status)

    @property
    def ended_plainly(self) -> bool:
        """Whether it had pipes and ended by itself."""
        return (
            self.stage is Stage.EXITED
            and self.wait_status is not None
            and os.WIFEXITED(self.wait_status)
            and self.terminal_size is None
        )

    def check(self, step: Step) -> None:
        """Holds when the job can take ``step`` now.

        Raises:
            WrongStage: It cannot, or something else is under way.
        """
        next_stage(self.stage, step)
        if self.doing:
            raise WrongStage(request=step, stage=f"{self.stage}, with {self.doing} under way")

    def take(self, step: Step) -> None:
        """The job is where ``step`` leads."""
        to = next_stage(self.stage, step)
        _log.info("event=step step=%s from=%s to=%s root=%d", step, self.stage, to, self.root)
        self.stage = to

    def start(self, request: Start, started: Started) -> None:
        """Starts the command; ``started`` is called once it is known whether it was executed.

        Raises:
            WrongStage: There is a job already.
            FilesUnavailable: Files of other nodes that it is to see cannot be had.
            StartFailed: Its streams or its process cannot be made.
        """
        self.check(Step.START)
        self.account, self.cgroup = request.account, request.cgroup
        self.logs, self.log_limit_bytes = request.logs, request.log_limit_bytes
        jobmounts.furnish(request.files, request.account)
        try:
            self._open_streams(request)
            if self.host is not None:
                namespaces.set_last_pid(request.pid_base)
            child = start_child(self._launch(request))
        except OSError as exc:
            self.forget()
            reason = exc.strerror or str(exc)
            raise StartFailed(command=request.argv[0], step="shim", reason=reason) from exc
        self.doing = "a start"
        self.stdio.close_job_ends()
        self.loop.watch(child.report, readable=lambda: self._executed(child, request, started))
        self.adopt(child.pid)

    def adopt(self, root: int) -> None:
        """From now on the job is the tree of that child."""
        self.root = root
        self.loop.on_wait_status(root, lambda status: self._root_ended(root, status))

    def renew(self, lease_s: float | None = None) -> None:
        """Somebody still wants the job."""
        self.lease.renew(time.monotonic(), lease_s)

    def root_on_host(self) -> int:
        """What the host calls its first process; 0 where there is none."""
        if not self.root or self.exit_status is not None:
            return 0
        return self.root if self.host is None else self.host.pid_of(self.root)

    def resize(self, size: Terminal, *, repaint: bool = False) -> None:
        """Its terminal has another size; a job with pipes does not care.

        Args:
            size: Of no rows for the present one.
            repaint: Its foreground program draws the whole screen. Programs do nothing where the
                size is as they know it, so it changes for a moment.
        """
        now = self.terminal_size
        if self.terminal is None or now is None:
            return
        if size.rows:
            self.terminal_size = Terminal(rows=size.rows, columns=size.columns, term=now.term)
        if repaint:
            self.terminal.resize(Terminal(rows=now.rows - 1 or 2, columns=now.columns))
            self._repaint = self.loop.call_after(REPAINT_S, self._set_size)
        elif self.terminal_size != now or (self._repaint is not None and self._repaint.pending):
            self._set_size()

    def hang_up(self) -> None:
        """Tells the job that its user is gone, and kills it if it does not end in time."""
        _log.info("event=hang-up root=%d", self.root)
        self._signal(signal.SIGHUP)
        self.loop.call_after(GRACE_S, lambda: self._signal(signal.SIGKILL))

    def break_input(self, reason: str) -> None:
        """Bytes of its input are lost: it is told as if its user were gone, and counts as lost."""
        if self.exit_status is None:
            self.problem = self.problem or reason
            self.hang_up()

    def bury(self, buried: Callable[[], None], late: Callable[[ShimFailed], None]) -> None:
        """Kills every process of the job's pid namespace.

        Args:
            buried: Called once they are all dead and reaped, however long that takes: one that
                frees much memory, or closes a file of a silent server, dies when it can.
            late: Called before, where that takes longer than whoever asked can wait.
        """
        # As pid 1 that is everybody but us; anywhere else it would be the whole machine.
        assert os.getpid() == 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        limit = self.loop.call_after(
            DEATH_LIMIT_S,
            lambda: late(ShimFailed(reason=f"not dead {DEATH_LIMIT_S:.0f} s after SIGKILL")),
        )

        def childless() -> None:
            limit.cancel()
            buried()

        self.loop.when_childless(childless)

    def lose(self, reason: str) -> None:
        """Kills a job that lacks memory; it must not see zeros in its place."""
        if self.exit_status is not None:
            return
        _log.error("event=lost root=%d reason=%r", self.root, reason)
        self.problem = self.problem or reason
        assert os.getpid() == 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)

    def run_on(self) -> None:
        """The job runs, here, from now: its streams move, and if it has ended that is told."""
        self.stdio.resume()
        self.renew()
        if self.exit_status is not None:
            self._end()

    def forget(self) -> None:
        """Nothing of it is left here, so the shim is as good as new."""
        self.stdio.close()
        self.stdio = Stdio()
        self.release_terminal()
        self.root, self.wait_status, self.problem = 0, None, ""

    def release_terminal(self) -> None:
        """The job holds its terminal no more."""
        if self.terminal is not None:
            self.terminal.release()
            self.terminal = None

    def _launch(self, request: Start) -> Launch:
        ends = self.stdio.job_ends
        return Launch(
            argv=request.argv,
            environment=request.environment,
            stdio=(ends["stdin"], ends["stdout"], ends["stderr"]),
            cwds=request.cwds,
            account=request.account,
            cgroup=request.cgroup,
            terminal=self.terminal is not None,
            root=request.files.root,
            job=self.host is not None,
        )

    def _open_streams(self, request: Start) -> None:
        if request.logs:
            logs = Path(request.logs)
            self.stdio = stdio.logged(self.loop, logs, request.log_limit_bytes)
        elif request.terminal is not None:
            self.terminal_size = request.terminal
            self.terminal = ControllingTerminal(request.terminal, request.account)
            make = stdio.of_piped_terminal if request.piped_stdin else stdio.of_terminal
            self.stdio = make(self.loop, self.terminal, Stream(), Stream())
        else:
            self.stdio = stdio.pipes(self.loop)

    def _set_size(self) -> None:
        if self.terminal is not None and self.terminal_size is not None:
            self.terminal.resize(self.terminal_size)

    def _executed(self, child: Child, request: Start, started: Started) -> None:
        self.loop.watch(child.report)
        self.doing = ""
        refusal = child.refusal()
        if refusal is not None:
            self.forget()
            started(refusal)
            return
        self.take(Step.START)
        self.renew(request.lease_s)
        self.run_on()
        started(None)

    def _root_ended(self, root: int, status: int) -> None:
        if root != self.root:
            return  # a child that could not execute its command was not the job
        self.wait_status = status
        if self.stage is Stage.RUNNING and not self.doing:
            self._end()

    def _end(self) -> None:
        self.take(Step.EXIT)
        self.stdio.catch_up()  # then most output is whole when its end is told
        self.unread = self._take_unread()
        if self.stdio.inlet is not None:
            with contextlib.suppress(OSError):
                self.consumed = self.stdio.inlet.consumed()
        self.release_terminal()
        told = {
            "exit_status": self.exit_status,
            "killed_by": self.killed_by,
            "dumped_core": self.dumped_core,
            "ended_ms": int(time.time() * 1000),
            "problem": self.problem,
        }
        try:
            path = self.directory / "exit.json"
            replace_file(path, json.dumps(told).encode(), durable=False)
        except OSError as exc:
            _log.warning("event=exit-not-written reason=%s", exc.strerror)

    def _take_unread(self) -> bytes:
        """Keys for its terminal, in their order, that it has left to whoever has that next."""
        pump = self.stdio.keys or self.stdio.inlet
        if self.terminal is None or pump is None:
            return b""
        _, behind = pump.stream.peek(pump.stream.start, MOST_UNREAD_BYTES)
        return (self.terminal.unread() + behind)[:MOST_UNREAD_BYTES]

    def _signal(self, number: signal.Signals) -> None:
        if not self.root or self.exit_status is not None:
            return
        groups = {self.root}  # it leads its group, with pipes and with a terminal
        if self.terminal is not None:
            groups.add(self.terminal.foreground_group())
        for group in groups - {0}:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)
