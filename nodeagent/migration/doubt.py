"""Moves whose other side fell silent, or that an agent's death cut in two: asked until settled.

Nobody guesses: a copy runs only when the other side has said that it has none, or has given it up,
or when a user has said that it will never come back, by taking it out of the system.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from nodeagent.checkpoint.ending import end_given_up, end_with_checkpoint
from nodeagent.dispatch import Audience, Caller, Dispatcher
from nodeagent.freezing import refreeze, thaw_job
from nodeagent.job import Job
from nodeagent.jobtable import JobTable, remove_tree, stage_of
from nodeagent.mechanism import cgroup, signals
from nodeagent.migration.destination import IDLE_LIMIT_S, Destination
from nodeagent.migration.source import Source
from nodeagent.peers import Peers
from nodeagent.shim.messages import GetStatus, Ok, RestoreHere, SendSignals, Status, Thaw
from ssi.model.errors import SsiError
from ssi.model.job import JobState
from ssi.model.migration import LostOnTheWay, MigrationFailed, MigrationInDoubt, ReturnFailed
from ssi.model.shim import RestoreFailed
from ssi.protocol.migration import AbandonMigration, GetOwnership, Ownership, ResumeJob

_log = logging.getLogger(__name__)

ROUND_S: Final = 1.0
"""Between two questions about one job."""

ARRIVAL_SILENT_S: Final = 10.0
"""An arrival that has heard nothing for so long asks its source, each round from then on."""

RESTS: Final = 9
"""So many times as long as it took to try is waited before a job is tried to be restored again."""

LONGEST_REST_S: Final = 30.0

PATIENCE_S: Final = 20.0
"""How long whoever asked for the move waits before it is told that the move is in doubt."""


class Doubt:
    """Settles what is open, as long as the agent runs."""

    def __init__(self, node: str, table: JobTable, peers: Peers) -> None:
        self._node = node
        self._table = table
        self._peers = peers
        self._settling: set[int] = set()
        self.source: Source | None = None
        self.destination: Destination | None = None
        self.leading: dict[int, tuple[int, str]] = {}
        """Jobs that are led from images here to a node: epoch there and its name, by gpid."""
        self.committed: set[int] = set()
        """Those of them whose first copy is dead: the other may run."""

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Answers how this node stands to a job."""
        dispatcher.serve(GetOwnership, self._ownership, Audience.NODE)

    async def settle(self, job: Job) -> None:
        """Asks until the job is settled, for those who wait for its move.

        Raises:
            LostOnTheWay: It died on both sides.
            MigrationInDoubt: The other side was silent too long; asking goes on without the caller.
            ReturnFailed: The other side has lost it, and it cannot be restored here yet.
            SsiError: The move came to nothing; the job runs on here.
        """
        began_s = time.monotonic()
        while job.stage == "committed":
            await self._settle_departure(job)
            if time.monotonic() - began_s > PATIENCE_S and job.stage == "committed":
                raise MigrationInDoubt(
                    gpid=job.row.gpid,
                    source=self._node,
                    destination=job.destination,
                    silent_s=time.monotonic() - began_s,
                )
            await asyncio.sleep(0 if job.stage != "committed" else ROUND_S)
        if job.is_over:
            raise LostOnTheWay(gpid=job.row.gpid, source=self._node, destination=job.destination)
        if job.stage == "running":
            raise MigrationFailed(
                gpid=job.row.gpid,
                source=self._node,
                destination=job.destination,
                step="resume",
                reason="the destination lost it after the commit; it was restored here",
            )

    async def run(self) -> None:
        """Looks after open moves until cancelled, each by itself: a silent peer delays no other."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(ROUND_S)
                for job in list(self._table.jobs.values()):
                    if not job.is_unsettled or job.moving.locked():
                        continue
                    if job.is_over:  # lost while its move was open
                        self._clear(job)
                    else:
                        self._begin(tasks, job.row.gpid, self._look_after(job))
                assert self.destination is not None
                for gpid, arrival in list(self.destination.arrivals.items()):
                    if time.monotonic() - arrival.heard_at_s > ARRIVAL_SILENT_S:
                        self._begin(tasks, gpid, self._settle_arrival(gpid))

    def _begin(
        self, tasks: asyncio.TaskGroup, gpid: int, settling: Coroutine[Any, Any, None]
    ) -> None:
        if gpid in self._settling:
            settling.close()
            return
        self._settling.add(gpid)
        tasks.create_task(self._guarded(gpid, settling))

    async def _guarded(self, gpid: int, settling: Coroutine[Any, Any, None]) -> None:
        began_s = time.monotonic()
        try:
            await settling
        except ReturnFailed as exc:
            _log.warning("event=not-settled gpid=%d reason=%s", gpid, exc)
            await self._rest(gpid, min(RESTS * (time.monotonic() - began_s), LONGEST_REST_S))
        except SsiError as exc:
            _log.warning("event=not-settled gpid=%d reason=%s", gpid, exc)
        finally:
            self._settling.discard(gpid)

    async def _rest(self, gpid: int, rest_s: float) -> None:
        """Until the next try to restore a job, or until that is killed."""
        job = self._table.jobs.get(gpid)
        if job is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(job.doomed.wait(), rest_s)

    async def _look_after(self, job: Job) -> None:
        """A move that an agent before this one began: its shim knows how far it came."""
        if job.link is not None:
            status = await job.shim().ask(GetStatus(), Status, 5.0)
            if status.doing:
                if job.pledged:
                    problem = f"given to {job.destination}: it takes long to die here"
                    job.row = msgspec.structs.replace(job.row, problem=problem)
                return  # the dump, or the commit, goes on without the agent that asked for it
            job.stage, job.root_pid = stage_of(status.stage), status.root_pid
        if job.stage == "running":
            self._runs_here(job)
            await self._give_up_there(job)
        elif job.stage == "lent":
            # The agent that gave its memory away is gone, and so the destination has given it up.
            assert self.source is not None
            await self.source.lending.lose(job, "the agent here ended before it had all arrived")
            remove_tree(self._images_of(job))
        else:
            await self._settle_departure(job)

    async def _settle_departure(self, job: Job) -> None:
        """A job that was dumped here: where does it live?"""
        theirs = await self._ask(job.destination, job.row.gpid)
        epoch = job.row.epoch + 1
        if job.stage == "stopped":
            # No commit was made, so it is ours, whatever they have.
            job.withdraw_pledge()
            await job.shim().ask(Thaw(), Ok, 20.0)
            self._runs_here(job)
            await self._give_up_there(job)
        elif job.stage == "committed" and job.destination == self._node:
            await end_with_checkpoint(job)
        elif theirs is None and self._peers.is_dismissed(job.destination):
            _log.warning("event=dismissed gpid=%d node=%s", job.row.gpid, job.destination)
            await self._restore_here(job)
        elif theirs is None:
            # It stays in doubt, and `ssi jobs` says so.
            problem = f"in doubt: it was given to {job.destination}, which is silent"
            job.row = msgspec.structs.replace(job.row, problem=problem)
        elif theirs.stage in {"running", "moved"} and theirs.epoch >= epoch:
            assert self.source is not None
            await self.source.let_go(job, job.destination)
        elif theirs.stage == "ready" and theirs.epoch == epoch:
            request = ResumeJob(gpid=job.row.gpid, epoch=epoch)
            await self._peers.ask(job.destination, request, timeout_s=20.0)
        elif theirs.stage == "none" or theirs.epoch < epoch:
            # What it knows of is an earlier stay there, if anything.
            await self._restore_here(job)

    async def _restore_here(self, job: Job) -> None:
        """The destination has lost the job: it runs here again, from the images that were kept.

        Raises:
            ReturnFailed: It does not; it is tried again.
        """
        images = self._images_of(job)
        job.withdraw_pledge()
        if job.link is None:  # without the shim here, they are worth nothing
            job.bury()
            self._clear(job)
            return
        if job.doomed.is_set():
            await end_given_up(job)
            self._clear(job)
            return
        # What a scan sees from now on are its processes again, though they began at another time.
        job.membership.adopt(job.membership.export())
        try:
            status = await job.link.ask(RestoreHere(), Status, 600.0)
        except RestoreFailed as exc:
            job.returning = True
            problem = f"{job.destination} has lost it, and here: {exc.reason}"
            job.row = msgspec.structs.replace(job.row, problem=problem)
            raise ReturnFailed(
                gpid=job.row.gpid,
                source=self._node,
                destination=job.destination,
                reason=exc.reason,
            ) from exc
        job.root_pid = status.root_pid
        # A commit is an owner's end. What was said of that move must not be taken for the next.
        job.row = msgspec.structs.replace(job.row, epoch=job.row.epoch + 1)
        self._runs_here(job)
        if job.doomed.is_set():  # while it was being restored
            for pid in cgroup.processes_of_job(job.row.gpid) or [job.root_pid]:
                with suppress(ProcessLookupError):
                    signals.send(pid, signal.SIGKILL)
        remove_tree(images)
        await self._send_again(job)
        await job.note()

    async def _send_again(self, job: Job) -> None:
        """What was sent to the copy that the commit killed reaches the one that lives."""
        sent, job.sent = job.sent, ()
        if sent:
            try:
                await job.shim().ask(SendSignals(signals=sent), Ok, 5.0)
            except SsiError as exc:
                _log.warning("event=signals-lost gpid=%d reason=%s", job.row.gpid, exc)

    def _runs_here(self, job: Job) -> None:
        job.row = msgspec.structs.replace(job.row, problem="")
        if not job.row.frozen:
            thaw_job(job)  # it was held for a checkpoint
        if job.row.state is JobState.MIGRATING:
            job.become(JobState.RUNNING)
            refreeze(job)
        self._clear(job)
        _log.info("event=settled gpid=%d node=%s", job.row.gpid, self._node)

    async def _give_up_there(self, job: Job) -> None:
        """What the destination was given it drops now; else once it has asked, 10 s later."""
        if job.destination:
            request = AbandonMigration(gpid=job.row.gpid, epoch=job.row.epoch + 1)
            with suppress(SsiError):
                await self._peers.ask(job.destination, request, timeout_s=5.0)

    def _clear(self, job: Job) -> None:
        """No move of it is open any more."""
        job.stage, job.returning = "running", False
        remove_tree(self._images_of(job))

    async def _settle_arrival(self, gpid: int) -> None:
        """A job that stands at the barrier here, or was on its way: what does its source say?"""
        assert self.destination is not None
        arrival = self.destination.arrivals.get(gpid)
        if arrival is None:
            return
        if not arrival.source:  # the agent that began it died before it could note whose it is
            await self.destination.drop(gpid)
            return
        theirs = await self._ask(arrival.source, gpid)
        if self.destination.arrivals.get(gpid) is not arrival:
            return  # it was settled meanwhile
        if theirs is None:
            # Silent: a copy at the barrier stays in doubt, mere bytes are worth nothing.
            if arrival.job is None and time.monotonic() - arrival.heard_at_s > IDLE_LIMIT_S:
                await self.destination.drop(gpid)
            return
        arrival.heard_at_s = time.monotonic()
        if theirs.stage in {"stopped", "committed"} and theirs.destination == self._node:
            if theirs.stage == "committed" and arrival.is_ready:
                await self.destination.run(arrival)
        else:
            # It is not ours: the source runs it, or it has gone on, or ended there, or is being
            # given to another node now, after a move to here that its source has given up.
            await self.destination.drop(gpid)

    async def _ask(self, node: str, gpid: int) -> Ownership | None:
        try:
            reply = await self._peers.ask(node, GetOwnership(gpid=gpid), timeout_s=3.0)
        except SsiError:
            return None
        return reply if isinstance(reply, Ownership) else None

    async def _ownership(self, _caller: Caller, body: GetOwnership) -> Ownership:
        assert self.destination is not None
        job = self._table.jobs.get(body.gpid)
        leading = self.leading.get(body.gpid)
        arrival = self.destination.arrivals.get(body.gpid)
        newest = max((each.row.epoch for each in (job, arrival) if each is not None), default=0)
        if leading is not None and newest < leading[0]:
            epoch, destination = leading
            stage = "committed" if body.gpid in self.committed else "stopped"
            return Ownership(stage=stage, epoch=epoch, destination=destination)
        if job is not None:
            # A job that has ended here was this node's to the end, which is what is asked.
            stage = "running" if job.is_over else job.stage
            if stage == "running" and job.moving.locked():
                stage = "stopped"  # or soon: it is looked at, its files are sent, it is dumped
            return Ownership(
                stage=stage,
                epoch=job.row.epoch,
                destination=job.destination,
                over=job.is_over,
            )
        if arrival is not None and arrival.is_ready:
            return Ownership(stage="ready", epoch=arrival.row.epoch)
        departure = self._table.departed.of(body.gpid)
        if departure is not None:
            stage = "moved" if departure.node else "running"
            return Ownership(stage=stage, epoch=departure.epoch, over=not departure.node)
        return Ownership(stage="none")

    def _images_of(self, job: Job) -> Path:
        assert self.destination is not None
        return self.destination.images / f"{job.row.gpid}-{job.row.epoch + 1}"
