"""The leading side of a move: plan, carry, dump, hand over, let go.

Until the commit, any failure lets the job run on here, and it has lost nothing but time. After it,
this side only gives the job up once the destination has said that it runs there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from nodeagent.freezing import refreeze
from nodeagent.job import Job
from nodeagent.jobtable import JobTable, remove_tree, stage_of
from nodeagent.migration.ahead import send_ahead
from nodeagent.migration.capability import Capability
from nodeagent.migration.carried import remove_carried
from nodeagent.migration.forwarding import forward
from nodeagent.migration.handover import DUMP, HandOver, refused
from nodeagent.migration.hold import Point, reach
from nodeagent.migration.imagelane import Lane
from nodeagent.migration.lending import Lending
from nodeagent.migration.move import Move
from nodeagent.migration.preflight import Preflight
from nodeagent.migration.reason import leaf_of, text_of
from nodeagent.migration.transfer import Courier
from nodeagent.peers import Peers
from nodeagent.shim.messages import (
    Commit,
    DropLent,
    GetStatus,
    Ok,
    Release,
    Status,
    Thaw,
)
from nodeagent.shimlink import ShimGone, ShimSilent
from ssi.model.errors import SsiError
from ssi.model.job import JobState
from ssi.model.migration import CannotMigrate, Live, MigrationFailed, MigrationLost
from ssi.model.process import ProcessRow
from ssi.model.shim import ShimFailed
from ssi.protocol.migration import (
    AbandonMigration,
    JobMigrated,
    MigrationChecked,
    ResumeJob,
)
from ssi.protocol.refusals import JobMoved, NotAJob

_log = logging.getLogger(__name__)

ASK_TIMEOUT_S: Final = 20.0


class Source:
    """Moves jobs away from this node.

    Args:
        node: Its name.
        table: Its jobs.
        peers: Links to the others.
        capability: What CRIU here can do.
        rows: Rows of all processes of jobs, freshly read.
        pids: Processes of a job that stands still.
        images: Directory for images, in memory.
        settle: Asks a destination that fell silent after the commit; see :mod:`doubt`.
    """

    def __init__(
        self,
        node: str,
        table: JobTable,
        peers: Peers,
        capability: Capability,
        rows: Callable[[], list[ProcessRow]],
        pids: Callable[[Job], list[int]],
        images: Path,
        settle: Callable[[Job], Awaitable[None]],
    ) -> None:
        self._node = node
        self._table = table
        self._peers = peers
        self._courier = Courier(peers)
        self._capability = capability
        self._pids = pids
        self._images = images
        self._settle = settle
        self.lending = Lending(node, peers)
        self._handover = HandOver(peers, capability, pids, self.lending)
        self._preflight = Preflight(node, peers, capability, rows, images, table.begin)

    async def check(self, job: Job, destination: str, live: Live | None = None) -> MigrationChecked:
        """What stands in the way of a move, on both ends; nothing is touched."""
        move = self._preflight.begin(job, destination, live)
        return await self._preflight.look(move, dry_run=True)

    async def move(self, job: Job, destination: str, live: Live | None = None) -> JobMigrated:
        """Moves a job; returns once it runs at the destination, with all of its memory.

        Raises:
            CannotMigrate: Something stands in the way; the job was not touched.
            MigrationFailed: It was undone; the job runs on here.
            MigrationInDoubt: The destination fell silent after the commit.
            MigrationLost: Not all of its memory came; it was killed.
        """
        async with job.moving:
            if job.stage == "moved":  # by another who asked first
                raise JobMoved(gpid=job.row.gpid, node=job.destination)
            move = self._preflight.begin(job, destination, live)
            if not job.is_unsettled:  # else that is whom doubt has to ask
                job.destination = destination
            await reach(Point.SOURCE_PREFLIGHT, job.row.gpid)
            try:
                return await self._make(move)
            except MigrationFailed as exc:
                if not move.rounds or exc.step != DUMP or exc.has_ended:
                    raise
                reason = exc.reason
                _log.warning("event=again-at-once gpid=%d reason=%s", job.row.gpid, reason)
            again = self._preflight.begin(job, destination, Live.STOP)
            again.began_s, again.not_ahead = move.began_s, reason
            return await self._make(again)

    async def _make(self, move: Move) -> JobMigrated:
        try:
            await self._prepare(move)
            await self._hand_over(move)
        finally:
            if move.lane is not None:
                move.lane.close()
        if move.live is Live.POST:
            resumed_s, late_bytes = await self._lend(move)
            return move.told(resumed_s, time.monotonic(), late_bytes)
        resumed_s = await self._commit(move)
        return move.told(resumed_s, resumed_s)

    async def _prepare(self, move: Move) -> None:
        """All that can be done while the job still runs."""
        try:
            checked = await self._preflight.look(move, dry_run=False)
        except SsiError:
            await self._abandon(move)  # it may have made itself ready, and only its answer be lost
            raise
        blockers = [*checked.here, *(f"{move.destination}: {each}" for each in checked.there)]
        if blockers:
            raise refused(move, blockers)
        if move.offer is not None:
            move.lane = Lane(self._peers.address(move.destination), move.offer)
        await reach(Point.SOURCE_CARRY, move.row.gpid)
        try:
            await self._handover.carry(move, move.absent(), frozen=False)
            if move.live is Live.PRE:
                await send_ahead(move, self._courier, self._capability.path)
        except* (SsiError, OSError) as group:
            remove_tree(move.images)
            await self._abandon(move)
            raise refused(move, [text_of(leaf_of(group))]) from group

    async def _hand_over(self, move: Move) -> None:
        """The job stands at the barrier, or runs on here."""
        job = move.job
        try:
            await self._handover.run(move)
        except* (SsiError, OSError) as group:
            error = leaf_of(group)
            await self._undo(move)
            if job.doomed.is_set():
                raise self._failed(move, move.step, "it was killed", has_ended=True) from error
            if isinstance(error, CannotMigrate):
                raise error from None
            has_ended = await job.is_ending() if move.step == DUMP else job.is_over
            reason = text_of(error)
            if job.is_over and move.step != DUMP:  # what the error is of
                reason = job.row.problem or "it was killed"
            raise self._failed(move, move.step, reason, has_ended=has_ended) from error

    async def _commit(self, move: Move) -> float:
        """The copy here is killed; from now on the job is the destination's.

        Returns:
            When it was known to run there, by the monotonic clock.

        A shim that does not say whether it killed its copy ends the attempt: two copies must not
        run, so nothing is resumed before the shim has been asked again (:mod:`doubt`).
        """
        job = move.job
        await self._check_lives(move)
        job.pledge()
        await reach(Point.SOURCE_COMMIT, move.row.gpid)
        try:
            if job.stage != "committed":
                job.sent = (await job.shim().ask(Commit(), Ok, ASK_TIMEOUT_S)).sent
                if job.sent:
                    await job.try_to_note()
        except ShimGone:
            # The shim died at this very moment, and the stopped copy with it: as good as killed.
            _log.warning("event=shim-gone-at-commit gpid=%d", move.row.gpid)
        job.stage = "committed"
        gpid, epoch = move.key
        await reach(Point.SOURCE_RESUME, gpid)
        try:
            request = ResumeJob(gpid=gpid, epoch=epoch)
            await self._peers.ask(move.destination, request, timeout_s=ASK_TIMEOUT_S)
        except SsiError as exc:
            _log.warning("event=resume-unsure gpid=%d reason=%s", gpid, exc)
            await self._settle(job)
            return time.monotonic()
        resumed_s = time.monotonic()
        await self._forward_sent(job, move.destination)
        await reach(Point.SOURCE_LET_GO, gpid)
        await self.let_go(job, move.destination)
        return resumed_s

    async def _lend(self, move: Move) -> tuple[float, int]:
        """The job is the destination's, and gets its memory from the copy here, which cannot run.

        Returns:
            When it was known to run there, by the monotonic clock, and how much came after that.
        """
        await self._check_lives(move)
        move.job.pledged = True
        try:
            loan = await self.lending.lend(move)
        except SsiError as exc:
            await self._undo(move)
            has_ended = move.job.is_over
            raise self._failed(move, "lend", exc.what(), has_ended=has_ended) from exc
        try:
            resumed_s = await self.lending.resume(move, loan)
            await forward(self._peers, move.row.gpid, move.destination, loan.sent)
            await self.lending.give(move, loan)
        except MigrationLost:
            remove_tree(move.images)
            if move.job.stage == "moved":
                self._table.leave(move.job, move.destination)
            raise
        await self._leave(move.job, move.destination, DropLent())
        return resumed_s, loan.given_bytes

    async def _check_lives(self, move: Move) -> None:
        """The last moment in which an end of the copy here is that of the job.

        Raises:
            CannotMigrate: It has ended, or was killed.
        """
        if move.job.is_over or move.job.doomed.is_set():
            await self._undo(move)
            raise refused(move, ["it has ended"])

    async def let_go(self, job: Job, destination: str) -> None:
        """The job runs at the destination: nothing of it is kept here, nor what went along."""
        await self._leave(job, destination, Release())

    async def _leave(self, job: Job, destination: str, last: Release | DropLent) -> None:
        job.stage = "moved"
        await self._forward_sent(job, destination)
        if job.link is not None:
            with suppress(ShimGone, ShimSilent, ShimFailed):  # which clears up when it can
                answer = await job.link.ask(last, Ok, 15.0)
                await forward(self._peers, job.row.gpid, destination, answer.sent)
        if job.carried:
            await asyncio.to_thread(remove_carried, job.carried, job.identities)
        self._table.remove_later(self._images / f"{job.row.gpid}-{job.row.epoch + 1}")
        self._table.leave(job, destination)

    async def _forward_sent(self, job: Job, destination: str) -> None:
        sent, job.sent = job.sent, ()
        await forward(self._peers, job.row.gpid, destination, sent)

    async def _undo(self, move: Move) -> None:
        """The job runs on here."""
        job = move.job
        job.pledged = False
        self.lending.withdraw(move)
        try:
            status = await job.shim().ask(GetStatus(), Status, ASK_TIMEOUT_S)
            if stage_of(status.stage) == "lent":
                await self._abandon(move)  # before anything: from here on it cannot run here
                remove_tree(move.images)
                raise await self.lending.lose(job, "its node lent it and then fell silent")
            if stage_of(status.stage) == "stopped":
                await job.shim().ask(Thaw(), Ok, ASK_TIMEOUT_S)
        except (ShimGone, NotAJob):  # it has died, so nothing can be made of its images
            remove_tree(move.images)
        except MigrationLost:
            raise
        except SsiError:
            # Stays as it is, and doubt looks after it: it knows from the shim how things stand.
            _log.exception("event=not-thawed gpid=%d", job.row.gpid)
        else:
            if not status.doing:  # else doubt looks after what comes of its dump
                job.stage = "running"
                if not job.is_over:
                    job.become(JobState.RUNNING)
                    refreeze(job)
                remove_tree(move.images)
        await self._abandon(move)

    async def _abandon(self, move: Move) -> None:
        gpid, epoch = move.key
        await reach(Point.SOURCE_ABANDON, gpid)
        try:
            request = AbandonMigration(gpid=gpid, epoch=epoch)
            await self._peers.ask(move.destination, request, timeout_s=5.0)
        except SsiError as exc:
            # It drops what it was given by itself, once it has asked here how things stand.
            _log.warning("event=abandon-not-told gpid=%d reason=%s", gpid, exc)

    def _failed(self, move: Move, step: str, reason: str, *, has_ended: bool) -> MigrationFailed:
        return MigrationFailed(
            gpid=move.row.gpid,
            source=self._node,
            destination=move.destination,
            step=step,
            reason=reason,
            has_ended=has_ended,
        )
