"""The source's side of a move: dump, and then either the job runs on here or its copy is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from nodeagent.mechanism import cgroup, criurpc, mending, namespaces
from nodeagent.mechanism.crimage import BadImage
from nodeagent.mechanism.criurpc import Told
from nodeagent.shim import tree
from nodeagent.shim.aftermath import STOPPED, ZOMBIE, to_wake, with_losses
from nodeagent.shim.job import Job
from nodeagent.shim.messages import CopyAhead, Dump, Dumped, Ok, StandByToDump
from nodeagent.shim.movable import check_complete, check_movable
from nodeagent.shim.openedbefore import OpenedBefore
from nodeagent.shim.server import Answer
from nodeagent.shim.stage import Stage, Step
from nodeagent.shim.standstill import Standstill
from nodeagent.shim.state import STATE_VERSION, SavedJob, SavedTerminal, encode_state
from nodeagent.shim.tree import Member
from nodeagent.shim.worker import Setting, Worker, real_ids_of
from ssi.model.sentsignal import SentSignal
from ssi.model.shim import DumpFailed, NotMovable, WrongStage

_LAST_MOMENT_S: Final = 0.1
"""After a CRIU that was killed: what it held just then may die of that, a moment later."""

_SENT_S: Final = 0.01
"""After a dump, what is not urgent waits for so long: until the images of a small job are sent, and
nothing is done here but waiting for the other side to restore it."""


class Dumping:
    """Dumps the job and takes the consequences.

    Attributes:
        saved: The job as last dumped; None before.
        images: Where, as the last request had it.
        criu: The program, as the last request had it.
        opened: What the job held then; None as long as that was not looked at.
    """

    def __init__(self, job: Job, work: Path) -> None:
        self.saved: SavedJob | None = None
        self.images = Path()
        self.criu = ""
        self.opened: OpenedBefore | None = None
        self._job = job
        self._work = work
        self._worker: Worker | None = None
        self._ahead: Worker | None = None
        self._stopped_before: frozenset[int] = frozenset()
        self._terminal: SavedTerminal | None = None
        self._freezer = ""
        self._lazy = False
        self._standstill: Standstill | None = None

    def stand_by(self, request: StandByToDump) -> None:
        """A dump that follows finds CRIU loaded.

        Raises:
            WrongStage: There is no running job.
            NotMovable: As for the dump.
            OSError: CRIU cannot be started.
        """
        self._job.check(Step.DUMP)
        check_movable(self._job)
        self._hire(request.criu, lazy=request.lazy)

    def stand_down(self) -> None:
        """No dump follows."""
        if self._worker is not None:
            self._worker.dismiss()
            self._worker = None

    def copy_ahead(self, request: CopyAhead, answer: Answer) -> None:
        """Answers with :class:`Ok` once memory of the job is written, which runs on.

        Raises:
            WrongStage: There is no running job, or the same is under way.
            NotMovable: As for the dump; or the job is frozen, and could not be asked for memory.
            OSError: CRIU cannot be started.
        """
        job = self._job
        self._check(Step.DUMP)
        check_movable(job)
        if job.cgroup and cgroup.is_frozen(job.cgroup):
            raise NotMovable(reason="it is frozen, and its memory stays as it is")
        members = tree.read_members()
        worker = self._ahead = Worker(
            job.loop, self._work, self._setting(request.criu, "ahead.log")
        )

        def ended(failure: str | None) -> None:
            self._ahead = None
            if failure is None:
                answer.give(Ok())
            else:
                self._fail(answer, DumpFailed(reason=failure), worker, members)

        # The end of its process is waited for: a dump would take that for a stray one of the job.
        ask = criurpc.pre_dump_request(job.root, request.images, request.parent)
        worker.ask(ask, lambda _told: None, ended)

    def dump(self, request: Dump, answer: Answer) -> None:
        """Answers with :class:`Dumped`, the job stopped; after a failure it runs on.

        Raises:
            WrongStage: There is no running job.
            NotMovable: This shim has no namespaces, or a freezer of version 1 holds the job.
            DumpFailed: A process of the job is out of reach.
        """
        job = self._job
        self._check(Step.DUMP)
        check_movable(job)
        members = tree.read_members()
        check_complete(members, job.root, self._worker, tree.read_members)
        self._stopped_before = frozenset(m.pid for m in members if m.state in STOPPED)
        self.images, self.criu, self._terminal = Path(request.images), request.criu, None
        self.opened = None
        self._freezer = job.cgroup if job.cgroup and cgroup.is_frozen(job.cgroup) else ""
        self._lazy = request.lazy
        started_s = time.time()
        worker = self._hire(request.criu, lazy=request.lazy)

        def heard(told: Told) -> None:
            if told.is_well:  # its process is not waited for
                ended(None)

        def ended(failure: str | None) -> None:
            if self._worker is not worker:
                return
            self._worker = None
            job.doing = ""
            try:
                if failure is not None:
                    raise DumpFailed(reason=failure)
                state = self._save(worker)
            except DumpFailed as exc:
                # A signal may have ended it when it had stopped some of them already.
                self._run_on(may_be_stopped=failure is None or worker.was_killed)
                self._fail(answer, exc, worker, members)
                return
            job.take(Step.DUMP)
            elapsed_ms = (time.time() - started_s) * 1000
            answer.give(Dumped(state=state, freeze_started_s=started_s, dump_ms=elapsed_ms))
            job.loop.call_after(_SENT_S, self._note_opened)

        ask = criurpc.dump_request(
            job.root, request.images, freezer=self._freezer, parent=request.parent
        )
        worker.ask(ask, heard, ended)
        job.stdio.pause()
        job.doing = "a dump"

    def thaw(self) -> None:
        """The dumped job runs on as if nothing had been.

        Raises:
            WrongStage: There is no dumped job.
        """
        job = self._job
        job.check(Step.THAW)
        if job.stage is Stage.RUNNING:
            return
        job.take(Step.THAW)
        self._run_on(may_be_stopped=True)

    def commit(self, answer: Answer) -> None:
        """Answers once the dumped job is dead and reaped; its images and its state stay.

        It is committed once it is, also where the answer has failed by then: it will not run.

        Raises:
            WrongStage: There is no dumped job.
        """
        job = self._job
        job.check(Step.COMMIT)
        if self._lazy and job.stage is Stage.DUMPED:
            raise WrongStage(request="commit", stage="dumped without its memory")
        if job.stage is Stage.COMMITTED:
            answer.give(Ok())
            return
        job.doing = "a commit"
        self._note_opened()
        sent = self._take_sent()

        def buried() -> None:
            job.doing = ""
            job.take(Step.COMMIT)
            job.stdio.close()
            job.release_terminal()
            self._end_standstill()
            if self._freezer:
                cgroup.thaw(self._freezer)  # nothing is in it, and CRIU must be able to enter it
            if not answer.given:
                answer.give(Ok(sent=sent))

        job.bury(buried, answer.fail)

    def lend(self) -> Ok:
        """The job runs elsewhere; here it stays for the sake of its memory, and cannot run.

        Raises:
            WrongStage: There is no job that was dumped lazily.
        """
        job = self._job
        job.check(Step.LEND)
        if not self._lazy:
            raise WrongStage(request="lend", stage="dumped with its memory")
        job.take(Step.LEND)
        return Ok(sent=self._take_sent())

    def drop_lent(self, answer: Answer, then: Callable[[], None]) -> None:
        """Kills what was lent, answers and calls ``then``.

        Raises:
            WrongStage: Nothing was lent.
        """
        job = self._job
        job.check(Step.DROP)
        job.doing = "a clearing up"
        sent = self._take_sent()

        def buried() -> None:
            job.doing = ""
            job.take(Step.DROP)
            job.stdio.close()
            job.release_terminal()
            self._end_standstill()
            if not answer.given:
                answer.give(Ok(sent=sent))
            then()

        job.bury(buried, answer.fail)

    def _check(self, step: Step) -> None:
        self._job.check(step)
        if self._ahead is not None:
            raise WrongStage(request=step, stage="running, with its memory being copied")

    def _hire(self, program: str, *, lazy: bool) -> Worker:
        """A CRIU that waits for a dump."""
        setting = self._setting(program, "dump.log", lazy=lazy)
        if self._worker is None or not self._worker.fits(setting):
            self.stand_down()
            self._worker = Worker(self._job.loop, self._work, setting)
        return self._worker

    def _setting(self, program: str, log: str, *, lazy: bool = False) -> Setting:
        account = self._job.account
        assert account is not None
        return Setting(
            criu=program,
            log=log,
            real=real_ids_of(account),
            terminal=self._job.terminal is not None,
            lazy=lazy,
        )

    def _save(self, worker: Worker) -> bytes:
        """The state of the stopped job, with all that its pipes hold."""
        job = self._job
        assert job.account is not None
        members = tree.read_members()
        living = {m.pid for m in tree.descendants(members, job.root) if m.state != ZOMBIE}
        self._standstill = Standstill(living, self.images, job.cgroup, worker.pid)
        try:
            dead = frozenset(m.pid for m in members if m.state == ZOMBIE)
            mend_images(self.images, dead)
            job.stdio.collect()
            self._take_typeahead()
            streams = job.stdio.save(self.images)
        except OSError as exc:
            reason = f"its streams cannot be saved: {exc.strerror}"
            raise DumpFailed(reason=reason) from exc
        except BadImage as exc:
            raise DumpFailed(reason=f"criu's images are not as expected: {exc}") from exc
        self.saved = SavedJob(
            version=STATE_VERSION,
            root=job.root,
            last_pid=namespaces.last_pid(),
            account=job.account,
            streams=streams,
            terminal=self._terminal,
            logs=job.logs,
            log_limit_bytes=job.log_limit_bytes,
            lease_s=job.lease.lease_s,
            note=job.note,
            frozen=bool(self._freezer),
        )
        return encode_state(self.saved)

    def _note_opened(self) -> None:
        """Looks at what the dumped job holds, unless that was done, or it runs again."""
        job = self._job
        if self.opened is None and job.stage is Stage.DUMPED and not self._lazy:
            assert job.account is not None
            members = tree.descendants(tree.read_members(), job.root)
            self.opened = OpenedBefore(job.account.uid, [member.pid for member in members])

    def _take_sent(self) -> tuple[SentSignal, ...]:
        return () if self._standstill is None else self._standstill.take()

    def _end_standstill(self) -> None:
        if self._standstill is not None:
            self._standstill.end()
            self._standstill = None

    def _take_typeahead(self) -> None:
        """What the job has not read from its terminal is with us, and so are its echoes."""
        stdio, terminal = self._job.stdio, self._job.terminal
        if terminal is None:
            return
        assert stdio.inlet is not None
        assert self._job.terminal_size is not None
        self._terminal, behind = terminal.take(self._job.terminal_size.term)
        stdio.inlet.stream.put_back(behind)
        stdio.collect()

    def _fail(
        self, answer: Answer, failure: DumpFailed, worker: Worker, before: Iterable[Member]
    ) -> None:
        if not worker.was_killed:
            answer.fail(failure)
            return
        members = tree.descendants(before, self._job.root)
        self._job.loop.call_after(
            _LAST_MOMENT_S, lambda: answer.fail(with_losses(failure, members))
        )

    def _run_on(self, *, may_be_stopped: bool) -> None:
        """The job runs on here: what was taken from it is there again before it reads."""
        job = self._job
        if job.terminal is not None and self._terminal is not None:
            job.terminal.give(self._terminal)
            self._terminal = None
        job.run_on()
        self._end_standstill()
        # CRIU says that it was well, or dies, before each of them shows that it stopped. All of the
        # namespace, but us, is the job: who lost its parent is below its root no more.
        stopped = may_be_stopped and not self._freezer
        tree_of_job = tree.descendants(tree.read_members(), os.getpid())[:-1]
        for pid in to_wake(tree_of_job, self._stopped_before, all_stopped=stopped):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def mend_images(images: Path, dead: frozenset[int], *, alone: bool = False) -> None:
    """Puts right in fresh images what CRIU would restore wrongly.

    Args:
        images: Their directory.
        dead: As :func:`~nodeagent.mechanism.mending.settle_sessions`, and ``alone``.
        alone: Likewise.

    Raises:
        BadImage: They are not as we know them.
        OSError: They cannot be read or written.
    """
    _mend(images / mending.PSTREE, lambda image: mending.mend_pstree(image, dead, alone=alone))
    _mend(images / mending.FILES, mending.mend_files)


def _mend(path: Path, mend: Callable[[bytes], bytes]) -> None:
    image = path.read_bytes()
    mended = mend(image)
    if mended != image:
        path.write_bytes(mended)
