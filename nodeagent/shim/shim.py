"""The shim: answers the agent's requests for a job, and ends when nothing is left to hold."""

from __future__ import annotations

import logging
import os
import socket
import time
from pathlib import Path
from typing import Final, assert_never

import msgspec

from nodeagent.mechanism import libc
from nodeagent.mechanism.loop import Loop, Timer
from nodeagent.mechanism.namespaces import HostProc
from nodeagent.shim import messages as m
from nodeagent.shim.channel import Channel
from nodeagent.shim.dump import Dumping
from nodeagent.shim.job import Job
from nodeagent.shim.keepermessages import SPARE_NAME, ForkShim
from nodeagent.shim.lanemessages import AwaitLane, JoinLane, OpenChannel, OpenLane
from nodeagent.shim.lanes import Lanes
from nodeagent.shim.leftovers import Leftovers
from nodeagent.shim.restore import Restoring
from nodeagent.shim.server import Answer, Attempt, Server
from nodeagent.shim.stage import MAY_END, Stage
from nodeagent.shim.standstill import deliver
from nodeagent.shim.streammessages import (
    BreakInput,
    CloseOutput,
    Read,
    Resize,
    Write,
)
from nodeagent.shim.streams import Streams
from ssi.model.errors import SsiError
from ssi.model.shim import WrongStage

EMPTY_LIMIT_S: Final = 600.0
"""A shim whose agent never gives it a job ends after that time."""

FORGOTTEN_CHECK_S: Final = 10.0
"""How often a shim looks whether its socket is still there."""

SOCKET_NAME: Final = "shim.sock"
CRIU_NAME: Final = "criu"
"""Directory of what CRIU says."""

LAST_WORDS_S: Final = 600.0
"""How long the end of a job that nobody holds on to, and its last output, can still be asked."""

_PLAIN: Final = (m.GetStatus, m.Start, Read, Write, m.SetNote, m.Renew, m.Release)
"""All that a brief job is asked; after any other request its shim is not used again."""

_log: Final = logging.getLogger(__name__)


class Shim:
    """One job and the requests for it.

    Args:
        leftovers: Finds what the job has left; None: the shim is not used again.

    Attributes:
        heir: Once it has ended: who wants it for another job; None for nobody.
    """

    def __init__(
        self,
        loop: Loop,
        directory: Path,
        host: HostProc | None,
        leftovers: Leftovers | None = None,
    ) -> None:
        self.heir: socket.socket | None = None
        self._leftovers = leftovers
        self._loop = loop
        self._host = host
        self._job = Job(loop, directory, host)
        self._dumping = Dumping(self._job, directory / CRIU_NAME)
        self._restoring = Restoring(self._job, directory / CRIU_NAME, self._dumping)
        self._server: Server | None = None
        self._streams = Streams(loop, self._job, self._poll)
        self._lanes = Lanes(loop, self._job, self._poll, self._attend)
        self._released = False
        self._clearing = False
        self._asked_s = time.monotonic()
        self._lease_timer: Timer | None = None
        loop.call_after(FORGOTTEN_CHECK_S, self._check_forgotten)
        loop.after_events(self._look_around)

    def serve(self, server: Server) -> None:
        """From now on requests come from there."""
        self._server = server

    def handle(self, request: m.RequestMessage, answer: Answer) -> None:
        """Answers one request, now or later.

        Raises:
            SsiError: It cannot be done.
        """
        self._asked_s = time.monotonic()
        if not isinstance(request, _PLAIN):
            self._leftovers = None
        match request:
            case m.GetStatus():
                self._await_end(request, answer)
            case Read() | Write():
                self._pass_bytes(request, answer)
            case OpenLane() | JoinLane() | AwaitLane() | OpenChannel():
                self._hasten(request, answer)
            case m.Start():
                self._job.start(request, lambda failure: self._tell_start(request, answer, failure))
            case m.SetNote() | m.Renew() | Resize() | CloseOutput() | BreakInput():
                self._adjust(request)
                answer.give(m.Ok())
            case m.Release():
                self._release(request, answer)
            case m.StandByToDump() | m.CopyAhead() | m.Dump() | m.Thaw() | m.Commit():
                self._leave(request, answer)
            case (
                m.StandByToRestore() | m.Restore() | m.Resume() | m.SendSignals() | m.RestoreHere()
            ):
                self._arrive(request, answer)
            case m.Lend() | m.DropLent() | m.Lose():
                self._move_lazily(request, answer)
            case ForkShim():
                raise WrongStage(request="fork-shim", stage="held by a shim")
            case _:
                assert_never(request)

    def _pass_bytes(self, request: Read | Write, answer: Answer) -> None:
        match request:
            case Read():
                if request.taken is not None:
                    self._lanes.close(request.stream)
                self._streams.read(request, answer)
            case Write():
                if request.from_job:
                    self._lanes.close("stdin")
                self._streams.write(request, answer)

    def _hasten(
        self, request: OpenLane | JoinLane | AwaitLane | OpenChannel, answer: Answer
    ) -> None:
        match request:
            case OpenLane():
                self._lanes.open(request, answer)
            case JoinLane():
                self._lanes.join(request, answer)
            case AwaitLane():
                self._lanes.await_over(request, answer)
            case OpenChannel():
                self._lanes.open_channel(request, answer)

    def _attend(self, channel: Channel) -> None:
        self._streams.attend(channel, peek=channel.peek)

    def _adjust(self, request: m.SetNote | m.Renew | Resize | CloseOutput | BreakInput) -> None:
        match request:
            case m.SetNote():
                self._job.note = request.note
            case m.Renew():
                self._job.renew(request.lease_s)
                self._drop_lease_timer()
                if request.lease_s == 0:
                    self._streams.disown()
            case Resize():
                self._job.resize(request.terminal, repaint=request.repaint)
            case CloseOutput():
                self._streams.close_output(request.stream)
            case BreakInput():
                self._job.break_input(request.reason)

    def _leave(
        self,
        request: m.StandByToDump | m.CopyAhead | m.Dump | m.Thaw | m.Commit,
        answer: Answer,
    ) -> None:
        match request:
            case m.StandByToDump():
                self._dumping.stand_by(request)
                answer.give(m.Ok())
            case m.CopyAhead():
                self._dumping.copy_ahead(request, answer)
            case m.Dump():
                self._dumping.dump(request, answer)
            case m.Thaw():
                self._dumping.thaw()
                answer.give(m.Ok())
            case m.Commit():
                self._dumping.commit(answer)

    def _arrive(
        self,
        request: m.StandByToRestore | m.Restore | m.Resume | m.SendSignals | m.RestoreHere,
        answer: Answer,
    ) -> None:
        match request:
            case m.StandByToRestore():
                self._restoring.stand_by(request)
                answer.give(m.Ok())
            case m.Restore():
                self._restoring.restore(request, answer)
            case m.Resume():
                self._restoring.resume(answer)
            case m.SendSignals():
                deliver(request.signals)
                answer.give(m.Ok())
            case m.RestoreHere():
                self._restoring.restore_here(lambda failure: self._tell_status(answer, failure))

    def _move_lazily(self, request: m.Lend | m.DropLent | m.Lose, answer: Answer) -> None:
        match request:
            case m.Lend():
                answer.give(self._dumping.lend())
            case m.DropLent():
                self._dumping.drop_lent(answer, self._end_soon)
            case m.Lose():
                self._job.lose(request.reason)
                answer.give(m.Ok())

    def _end_soon(self) -> None:
        self._released = True

    def _status(self) -> m.Status:
        job = self._job
        return m.Status(
            stage=job.stage,
            shim_pid=os.getpid() if self._host is None else self._host.own_pid(),
            exit_status=job.exit_status if job.stage is Stage.EXITED else None,
            killed_by=job.killed_by,
            dumped_core=job.dumped_core,
            root_pid=job.root_on_host(),
            note=job.note,
            epoch=job.epoch,
            doing=job.doing,
            problem=job.problem,
            unread=job.unread,
            has_channels=True,
            stands_by=True,
            copies_ahead=True,
            consumed=job.consumed,
        )

    def _tell_start(self, request: m.Start, answer: Answer, failure: SsiError | None) -> None:
        if failure is None and request.no_input and self._streams.end_input():
            answer.give(msgspec.structs.replace(self._status(), no_input=True))
        else:
            self._tell_status(answer, failure)

    def _tell_status(self, answer: Answer, failure: SsiError | None) -> None:
        if failure is None:
            answer.give(self._status())
        else:
            answer.fail(failure)

    def _poll(self, answer: Answer, wait_ms: int, attempt: Attempt, behind_s: float = 0.0) -> None:
        assert self._server is not None
        self._server.long_poll(answer, wait_ms, attempt, behind_s)

    def _await_end(self, request: m.GetStatus, answer: Answer) -> None:
        def attempt(expired: bool) -> m.Status | None:
            if self._job.stage is not Stage.EXITED:
                return self._status() if expired else None
            output = self._streams.whole_output(request.output_bytes)
            return msgspec.structs.replace(self._status(), output=output)

        self._poll(answer, request.wait_ms, attempt)

    def _release(self, request: m.Release, answer: Answer) -> None:
        if self._job.stage not in MAY_END or self._job.doing:
            raise WrongStage(request="release", stage=self._job.doing or self._job.stage)
        if request.again and self._is_as_new(answer):
            assert self._server is not None
            libc.set_process_name(SPARE_NAME)
            answer.give(m.Ok(ready=True))
            self.heir = self._server.part_with(answer)
            self._loop.stop()
            return
        self._released = True
        answer.give(m.Ok())

    def _is_as_new(self, answer: Answer) -> bool:
        """Whether another job here would find what it finds in a fresh shim."""
        assert self._server is not None
        self._loop.reap()
        if (
            self._leftovers is None
            or not self._job.ended_plainly
            or not self._server.is_alone_with(answer)
            or self._leftovers.has_processes()
        ):
            return False
        self._job.stdio.finish()
        self._job.stdio.close()
        found = self._leftovers.find()
        if found:
            _log.info("event=not-used-again left=%r", found)
        return not found

    def _look_around(self) -> None:
        """After each batch of events: is the lease over, or the work of this shim?"""
        job = self._job
        if job.stage is Stage.EXITED:
            # As after a logout over ssh: what the job left in the background lives on, and this
            # shim with it. Only then is there nothing to hold.
            if not self._clearing and (self._released or job.logs):
                self._clearing = True
                self._dumping.stand_down()
                self._loop.when_childless(self._end)
            if job.lease.lease_s <= 0:
                job.renew(LAST_WORDS_S)
        elif self._released:
            self._end()
        if self._lease_timer is None and not job.logs:
            left_s = job.lease.time_left_s(time.monotonic())
            if left_s is not None:
                self._lease_timer = self._loop.call_after(left_s, self._check_lease)

    def _drop_lease_timer(self) -> None:
        if self._lease_timer is not None:
            self._lease_timer.cancel()
            self._lease_timer = None

    def _check_lease(self) -> None:
        job, self._lease_timer = self._job, None
        if self._streams.in_use:
            job.renew()
        if job.lease.time_left_s(time.monotonic()) != 0:
            return
        if job.stage is Stage.EXITED:
            self._released = True
        elif job.stage is Stage.RUNNING:
            job.hang_up()
        job.renew()  # if it does not help, once more

    def _check_forgotten(self) -> None:
        """Ends a shim that nobody will ever release, with nothing in it that could be lost."""
        job = self._job
        idle = time.monotonic() - self._asked_s >= EMPTY_LIMIT_S
        unreachable = not (job.directory / SOCKET_NAME).exists()
        if (
            job.stage in MAY_END
            and not job.doing
            and (unreachable or (job.stage is Stage.EMPTY and idle))
        ):
            self._end()
        else:
            self._loop.call_after(FORGOTTEN_CHECK_S, self._check_forgotten)

    def _end(self) -> None:
        _log.info("event=end stage=%s", self._job.stage)
        self._job.stdio.finish()
        self._loop.stop()
