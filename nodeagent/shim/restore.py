"""The destination's side of a move, and the source's when a move came to nothing after all.

A restored job stands at the barrier until it is resumed: complete, and not running. Whatever goes
wrong before leaves nothing of it here.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, get_args

import msgspec

from nodeagent.mechanism import cgroup, criurpc, namespaces
from nodeagent.shim import jobmounts, stdio, tree
from nodeagent.shim.barrier import Barrier
from nodeagent.shim.dump import Dumping
from nodeagent.shim.job import Job
from nodeagent.shim.knownfiles import check_known
from nodeagent.shim.latememory import LateMemory
from nodeagent.shim.messages import Account, Ready, Restore, Resumed, StandByToRestore
from nodeagent.shim.openedbefore import OpenedBefore
from nodeagent.shim.server import Answer
from nodeagent.shim.stage import Stage, Step
from nodeagent.shim.state import SavedJob, decode_state
from nodeagent.shim.stdio import SparePipes
from nodeagent.shim.terminal import ControllingTerminal
from nodeagent.shim.worker import Setting, Worker, real_ids_of
from ssi.model.errors import SsiError
from ssi.model.job import StreamName, Terminal
from ssi.model.shim import NotMovable, RestoreFailed, ShimFailed

_log: Final = logging.getLogger(__name__)

Outcome: TypeAlias = Callable[[SsiError | None], None]


_CLEARING: Final = "a clearing up"
_ANY_SIZE: Final = Terminal(rows=24, columns=80)


@dataclass(frozen=True, slots=True)
class _Standby:
    """CRIU, and what it has to hold of a job's streams before it is told of the job.

    Attributes:
        owner: Uid to whom the terminal belongs.
        terminal: None for a job that has pipes.
    """

    worker: Worker
    owner: int
    terminal: ControllingTerminal | None
    pipes: SparePipes

    def dismiss(self) -> None:
        """Nobody wants it."""
        self.worker.dismiss()
        _close_streams(self.terminal, self.pipes)


@dataclass(slots=True)
class _Attempt:
    """One restore under way: who waits for its next step, and the barrier that it comes to.

    Attributes:
        opened: What the job held when it was dumped here; None where it was dumped elsewhere.
    """

    saved: SavedJob
    barrier: Barrier
    outcome: Outcome
    opened: OpenedBefore | None = None
    reached: bool = False
    refusal: str = ""


class Restoring:
    """Makes a running job of images."""

    def __init__(self, job: Job, work: Path, dumping: Dumping) -> None:
        self._job = job
        self._work = work
        self._dumping = dumping
        self._standby: _Standby | None = None
        self._attempt: _Attempt | None = None
        self._resumed_s = 0.0

    def stand_by(self, request: StandByToRestore) -> None:
        """A restore that follows finds CRIU loaded.

        Raises:
            WrongStage: The shim holds a job.
            NotMovable: It has no namespaces.
            OSError: CRIU cannot be started.
        """
        job = self._job
        job.check(Step.RESTORE)
        check_namespaces(job)
        self._hire(request.criu, request.account, request.cgroup, terminal=request.terminal)

    def restore(self, request: Restore, answer: Answer) -> None:
        """Answers with :class:`Ready` once the job stands at the barrier.

        Raises:
            WrongStage: The shim holds a job.
            NotMovable: It has no namespaces.
            FilesUnavailable: Files of other nodes that it sees cannot be had.
            RestoreFailed: The state cannot be used, or a file is another than it was.
        """
        job = self._job
        job.check(Step.RESTORE)
        saved = decode_state(request.state)
        saved = msgspec.structs.replace(saved, frozen=request.frozen)
        if request.revived:
            saved = msgspec.structs.replace(saved, lease_s=0.0)
        if request.logs:
            saved = saved.in_logs(request.logs)
        job.cgroup = request.cgroup
        jobmounts.furnish(request.files, saved.account)
        check_known(request.files.known)
        started_s = time.monotonic()

        def outcome(failure: SsiError | None) -> None:
            job.doing = ""
            if failure is not None:
                answer.fail(failure)
                return
            job.take(Step.RESTORE)
            job.epoch = request.epoch
            elapsed_ms = (time.monotonic() - started_s) * 1000
            answer.give(Ready(restore_ms=elapsed_ms, root_pid=job.root_on_host()))

        # The images that came over the link serve once: if this fails, the source has its own.
        images = Path(request.images)
        self._begin(saved, request.criu, images, outcome, request.pages, spends=not request.pages)

    def resume(self, answer: Answer) -> None:
        """Answers with :class:`Resumed` once the job that stands at the barrier runs.

        Raises:
            WrongStage: None stands there.
        """
        job = self._job
        job.check(Step.RESUME)
        if job.stage is Stage.RUNNING:
            answer.give(Resumed(at_s=self._resumed_s))
            return

        def outcome(failure: SsiError | None) -> None:
            if failure is not None:
                job.take(Step.DROP)
                answer.fail(failure)
                return
            job.take(Step.RESUME)
            job.run_on()
            answer.give(Resumed(at_s=self._resumed_s))

        self._let_go(outcome)

    def restore_here(self, outcome: Outcome) -> None:
        """Runs the job again from the images of its last dump, in its old shim.

        Raises:
            WrongStage: There are none, or the job lives.
        """
        job, dumping = self._job, self._dumping
        job.check(Step.RESTORE_HERE)
        assert dumping.saved is not None
        job.forget()

        def resumed(failure: SsiError | None) -> None:
            if failure is None:
                job.take(Step.RESTORE_HERE)
                job.run_on()
            outcome(failure)

        def reached(failure: SsiError | None) -> None:
            job.doing = ""
            if failure is not None:
                outcome(failure)
            else:
                self._let_go(resumed)

        self._begin(dumping.saved, dumping.criu, dumping.images, reached, opened=dumping.opened)

    def _begin(
        self,
        saved: SavedJob,
        program: str,
        images: Path,
        outcome: Outcome,
        pages: str = "",
        *,
        spends: bool = False,
        opened: OpenedBefore | None = None,
    ) -> None:
        """Starts CRIU; ``outcome`` is called at the barrier, or when it did not come so far."""
        job, work = self._job, self._work
        check_namespaces(job)
        terminal = saved.terminal is not None
        standby = self._hire(program, saved.account, job.cgroup, terminal=terminal)
        self._standby, worker = None, standby.worker
        self._open_streams(saved, images, standby)
        freezer = job.cgroup if saved.frozen and cgroup.is_unified(job.cgroup) else ""
        barrier = Barrier(worker, lambda: self._reached(attempt), freezer=freezer)
        ends = job.stdio.job_ends
        inodes = {stream.inode: ends[stream.name] for stream in saved.streams if stream.inode}
        request = criurpc.restore_request(str(images), inodes, lazy=bool(pages), spends=spends)
        self._attempt = attempt = _Attempt(saved, barrier, outcome, opened)
        job.doing = "a restore"

        def start() -> None:
            worker.ask(request, barrier.hear, lambda failure: self._criu_ended(attempt, failure))

        if pages:
            job.memory = LateMemory(job.loop, work, self._memory_ended)
            job.memory.start(program, images, pages, start)
        else:
            start()

    def _hire(self, program: str, account: Account, group: str, *, terminal: bool) -> _Standby:
        """A CRIU that waits, with streams for a job of that account.

        Raises:
            OSError: There can be none.
        """
        setting = Setting(
            criu=program,
            log="restore.log",
            real=real_ids_of(account),
            terminal=terminal,
            cgroup=group,
        )
        standby = self._standby
        if standby is not None:
            if standby.worker.fits(setting) and standby.owner == account.uid:
                return standby
            self._standby = None
            standby.dismiss()
        if group and cgroup.is_unified(group) and cgroup.is_frozen(group):
            cgroup.thaw(group)  # a shim that died has left it so
        # Low numbers for CRIU and its helpers: those of the job must be free for the job. (A dump
        # cannot do so: a job that forks at that moment would take them.)
        namespaces.set_last_pid(1)
        made = ControllingTerminal(_ANY_SIZE, account) if terminal else None
        pipes = SparePipes(() if terminal else get_args(StreamName))
        try:
            worker = Worker(
                self._job.loop,
                self._work,
                setting,
                inherited=pipes.job_ends,
                terminal=None if made is None else made.slave,
            )
        except OSError:
            _close_streams(made, pipes)
            raise
        self._standby = _Standby(worker, account.uid, made, pipes)
        return self._standby

    def _memory_ended(self, failure: str | None) -> None:
        """All of the job's memory has come, or the rest of it never will."""
        self._job.memory = None
        if failure is not None:
            self._job.lose(f"its memory did not come: {failure}")

    def _open_streams(self, saved: SavedJob, images: Path, standby: _Standby) -> None:
        """The new pipes, or the new terminal, hold what the old ones held."""
        job = self._job
        job.terminal = standby.terminal
        if saved.terminal is None or job.terminal is None:
            job.stdio = stdio.restored(
                job.loop, saved.streams, images, saved.logs, saved.log_limit_bytes, standby.pipes
            )
            standby.pipes.close()
            return
        job.terminal_size = saved.terminal.size
        job.terminal.resize(saved.terminal.size)
        job.stdio = stdio.restored_terminal(job.loop, saved.streams, images, job.terminal)

    def _reached(self, attempt: _Attempt) -> None:
        job, saved = self._job, attempt.saved
        try:
            if attempt.opened is not None:
                self._check_opened(saved.root, attempt.opened)
            if job.memory is not None:
                job.memory.guard()
            if job.terminal is not None and saved.terminal is not None:
                job.terminal.give(saved.terminal)
        except RestoreFailed as exc:
            attempt.refusal = exc.reason
            attempt.barrier.refuse()
            return
        except OSError as exc:
            attempt.refusal = f"its terminal or memory cannot be as it was: {exc.strerror}"
            attempt.barrier.refuse()
            return
        attempt.reached = True
        job.stdio.close_job_ends()
        job.account = saved.account
        job.logs, job.log_limit_bytes = saved.logs, saved.log_limit_bytes
        job.note = job.note or saved.note
        job.renew(saved.lease_s)
        job.adopt(saved.root)
        attempt.outcome(None)

    def _check_opened(self, root: int, opened: OpenedBefore) -> None:
        members = tree.descendants(tree.read_members(), root)
        own = (str(self._dumping.images), str(self._work))
        try:
            opened.check([member.pid for member in members], own)
        except OSError as exc:
            raise RestoreFailed(reason=f"what it has open cannot be looked at: {exc}") from exc

    def _let_go(self, outcome: Outcome) -> None:
        assert self._attempt is not None
        self._job.doing = "a resume"
        self._attempt.outcome = outcome
        self._attempt.barrier.let_go()

    def _criu_ended(self, attempt: _Attempt, failure: str | None) -> None:
        """After the barrier CRIU ends when the job runs; any other end is a failure."""
        job = self._job
        self._attempt = None
        let_go = job.doing == "a resume"
        if failure is None and attempt.reached and let_go:
            self._resumed_s = time.time()
            job.doing = ""
            namespaces.set_last_pid(max(attempt.saved.last_pid, namespaces.last_pid()))
            attempt.outcome(None)
            return
        error = RestoreFailed(reason=attempt.refusal or failure or "criu ended before its time")
        _log.error("event=restore-failed reason=%r reached=%s", error.reason, attempt.reached)
        waiting = not attempt.reached or let_go

        told = False

        def late(failure: ShimFailed) -> None:
            nonlocal told
            if waiting:
                told = True
                attempt.outcome(failure)
            job.doing = _CLEARING

        def buried() -> None:
            job.doing = ""
            job.forget()
            if not waiting:  # nobody waits at the barrier; the next request finds an empty shim
                job.take(Step.DROP)
            elif not told:
                attempt.outcome(error)

        job.doing = _CLEARING
        job.bury(buried, late)


def check_namespaces(job: Job) -> None:
    """Holds when something can be restored here.

    Raises:
        NotMovable: It cannot.
    """
    if job.host is None:
        raise NotMovable(reason="the agent that is to take it has no root")


def _close_streams(terminal: ControllingTerminal | None, pipes: SparePipes) -> None:
    pipes.close()
    if terminal is not None:
        os.close(terminal.master)
        terminal.release()
