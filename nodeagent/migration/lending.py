"""The source's side of post-copy: for a while its stopped copy is all there is of the memory.

From the commit on this copy never runs again, whatever happens: the job has run elsewhere since. So
a job whose memory does not all arrive is lost, and said to be.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from nodeagent.job import Job
from nodeagent.migration.loan import Lender, Loan, inner_pids
from nodeagent.migration.move import Move
from nodeagent.peers import Peers
from nodeagent.shim.messages import DropLent, Lend, Ok
from nodeagent.shimlink import ShimGone, ShimSilent
from ssi.model.errors import SsiError
from ssi.model.job import JobState
from ssi.model.migration import MigrationLost
from ssi.protocol.migration import AbandonMigration, ResumeJob

_log = logging.getLogger(__name__)

ASK_TIMEOUT_S: Final = 20.0


class Lending:
    """Lends jobs of this node.

    Attributes:
        lender: Answers those who ask for their memory.
    """

    def __init__(self, node: str, peers: Peers) -> None:
        self.lender = Lender(node)
        self._node = node
        self._peers = peers

    def offer(self, move: Move, pids: Iterable[int]) -> None:
        """The memory of the stopped job can be read: its restore asks for some already.

        Raises:
            OSError: A process of it is gone.
        """
        gpid, epoch = move.key
        loan = Loan(gpid=gpid, epoch=epoch, destination=move.destination, pids=inner_pids(pids))
        self.lender.open(loan)

    def withdraw(self, move: Move) -> None:
        """The job runs on here, and its memory is its own."""
        self.lender.close(move.row.gpid)

    async def lend(self, move: Move) -> Loan:
        """The copy here cannot run any more.

        Raises:
            SsiError: Its shim did not do so.
        """
        answer = await move.job.shim().ask(Lend(), Ok, ASK_TIMEOUT_S)
        move.job.stage = "lent"
        loan = self.lender.loan(move.row.gpid)
        loan.sent = answer.sent
        return loan

    async def resume(self, move: Move, loan: Loan) -> float:
        """The job runs at the destination; since when, by the monotonic clock.

        Raises:
            MigrationLost: It does not, as far as can be known.
        """
        gpid, epoch = move.key
        try:
            request = ResumeJob(gpid=gpid, epoch=epoch)
            await self._peers.ask(move.destination, request, timeout_s=ASK_TIMEOUT_S)
        except SsiError as exc:
            self.lender.close(loan.gpid)
            with suppress(SsiError):
                request_drop = AbandonMigration(gpid=gpid, epoch=epoch)
                await self._peers.ask(move.destination, request_drop, timeout_s=5.0)
            raise await self.lose(move.job, f"it was not resumed: {exc.what()}") from exc
        return time.monotonic()

    async def give(self, move: Move, loan: Loan) -> None:
        """Returns once the destination has all of the memory.

        Raises:
            MigrationLost: It never will.
        """
        try:
            await loan.wait()
        finally:
            self.lender.close(loan.gpid)
        if loan.problem:
            raise await self.lose(move.job, loan.problem, known_there=loan.ended.is_set())

    async def lose(self, job: Job, reason: str, *, known_there: bool = False) -> MigrationLost:
        """Nothing of the job is left here; the error that says so.

        Args:
            job: Which.
            reason: Why.
            known_there: The destination has the record of its end, so none is made here.
        """
        if not known_there and not job.is_over:
            job.become(JobState.LOST, problem=reason, ended_ms=int(time.time() * 1000))
        job.stage = "moved" if known_there else "running"  # no move of it is open any more
        if job.link is not None:
            with suppress(ShimGone, ShimSilent, SsiError):
                await job.link.ask(DropLent(), Ok, ASK_TIMEOUT_S)
        _log.error("event=lost gpid=%d reason=%s", job.row.gpid, reason)
        return MigrationLost(
            gpid=job.row.gpid, source=self._node, destination=job.destination, reason=reason
        )
