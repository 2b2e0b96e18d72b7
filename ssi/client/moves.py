"""Moves of jobs as a face asks for them: looked at, to a named node, or to whichever suits best."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from ssi.client.errors import NoNodeFits
from ssi.client.system import DoneT, Location, System, followed
from ssi.model.errors import SsiError
from ssi.model.migration import CannotMigrate, MigrationFailed
from ssi.policy.arrivals import Arrivals
from ssi.policy.placement import Placement, Wish, place
from ssi.protocol.checkpoints import AdoptProcess, CheckAdoption, JobRevived
from ssi.protocol.migration import CheckMigration, JobMigrated, MigrateJob, MigrationChecked
from ssi.protocol.refusals import LinkDown, NodeDown, NotAJob
from ssi.protocol.system import ListProcesses, ProcessList

MIGRATION_TIMEOUT_S: Final = 600.0
LOOK_TIMEOUT_S: Final = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A job that moved, and between which nodes."""

    source: str
    destination: str
    report: JobMigrated


class Mover:
    """Asks for moves, and remembers where it sent jobs so that they spread.

    Args:
        system: That is asked.
        random: Chooses among nodes that are equal.
    """

    def __init__(self, system: System, random: Random | None = None) -> None:
        self._system = system
        self._random = random or Random()  # noqa: S311 - spreads jobs, guards nothing
        self._arrivals = Arrivals()

    async def locate(self, gpid: int) -> Location:
        """Where the job of a process is, whichever of its processes was named.

        Raises:
            NotAJob: It is a process that ssi did not start.
            SsiError: It is nowhere, or a node that may have it does not answer.
        """
        location = await self._system.locate(gpid)
        if location.job == 0:
            raise NotAJob(gpid=gpid, node=location.node)
        if location.job != gpid:
            location = await self._system.locate(location.job)
        return location

    async def follow(self, job: Location, deed: Callable[[Location], Awaitable[DoneT]]) -> DoneT:
        """Does something to a job that was just located, as :meth:`System.follow`."""
        return await followed(job, lambda: self.locate(job.job), deed)

    async def find(self, gpid: int) -> Location:
        """Where a process is, be it of a job or not.

        Raises:
            SsiError: It is nowhere, or a node that may have it does not answer.
        """
        return await self._system.locate(gpid)

    async def adopt(self, process: Location, destination: str, *, force: bool = False) -> Moved:
        """Makes a job of a process that ssi did not start, on a node; empty: where it is.

        Raises:
            SsiError: It cannot be done, by name; or it came to nothing.
        """
        request = AdoptProcess(
            gpid=process.gpid, start_ms=process.start_ms, destination=destination, force=force
        )
        revived = await self._system.ask(
            request, JobRevived, node=process.node, timeout_s=MIGRATION_TIMEOUT_S
        )
        report = JobMigrated(
            row=revived.row,
            total_ms=revived.total_ms,
            freeze_ms=revived.freeze_ms,
            image_bytes=0,
            carried_bytes=0,
        )
        return Moved(source=process.node, destination=revived.row.node, report=report)

    async def check_adoption(
        self, process: Location, destination: str, *, force: bool = False
    ) -> MigrationChecked:
        """What stands in the way of that; nothing is touched.

        Raises:
            SsiError: The node does not answer, or the process is gone.
        """
        request = CheckAdoption(
            gpid=process.gpid, start_ms=process.start_ms, destination=destination, force=force
        )
        return await self._system.ask(
            request, MigrationChecked, node=process.node, timeout_s=LOOK_TIMEOUT_S
        )

    async def check(self, job: Location, destination: str, live: str = "") -> MigrationChecked:
        """What stands in the way of a move; nothing is touched.

        Raises:
            SsiError: The source does not answer, or has no such job any more.
        """
        request = CheckMigration(
            gpid=job.job, start_ms=job.start_ms, destination=destination, live=live
        )
        return await self._system.ask(
            request, MigrationChecked, node=job.node, timeout_s=LOOK_TIMEOUT_S
        )

    async def check_anywhere(self, job: Location, live: str = "") -> MigrationChecked:
        """The check of the best node that could take a job; else that of the best one.

        Raises:
            NoNodeFits: There is none to be asked.
        """
        placement = await self.candidates(job)
        checks = []
        for suggestion in placement.suggestions:
            checked = await self.check(job, suggestion.node, live)
            checks.append(checked)
            if checked.here or not checked.there:
                return checked
        if not checks:
            raise _nobody(placement)
        return checks[0]

    async def candidates(self, job: Location) -> Placement:
        """Every node, judged as a destination from what the nodes tell of themselves."""
        request = ListProcesses(jobs=True)
        processes = await self._system.ask(request, ProcessList, node=job.node)
        memory = sum(row.rss_bytes for row in processes.rows if row.job == job.job)
        rows = (await self._system.nodes()).rows
        # Nothing is waited for between this and the move, so that no two jobs see the same counts.
        coming = self._arrivals.coming(time.monotonic())
        return place(rows, Wish(source=job.node, memory_bytes=memory, coming=coming), self._random)

    async def move(self, job: Location, destination: str, live: str = "") -> Moved:
        """Moves a job to a named node; ``live``: see :class:`ssi.model.migration.Live`.

        Raises:
            CannotMigrate: Something stands in the way; the job was not touched.
            SsiError: As the source says.
        """
        self._arrivals.sent(destination)
        request = MigrateJob(
            gpid=job.job, start_ms=job.start_ms, destination=destination, live=live
        )
        try:
            report = await self._system.ask(
                request, JobMigrated, node=job.node, timeout_s=MIGRATION_TIMEOUT_S
            )
        except BaseException:
            self._arrivals.failed(destination)
            raise
        self._arrivals.landed(destination, time.monotonic())
        return Moved(source=job.node, destination=destination, report=report)

    async def move_anywhere(self, job: Location, live: str = "") -> Moved:
        """Moves a job to the best node that can take it, trying one after the other.

        Raises:
            NoNodeFits: There is none to be tried.
            CannotMigrate: Something stands in the way on each of them, or at the source.
            SsiError: A move failed for another reason than its destination.
        """
        placement = await self.candidates(job)
        blockers: list[str] = []
        for suggestion in placement.suggestions:
            try:
                return await self.move(job, suggestion.node, live)
            except SsiError as exc:
                blockers += _told_by(exc, suggestion.node)
        if not placement.suggestions:
            raise _nobody(placement)
        raise CannotMigrate(gpid=job.job, destination="any node", blockers=blockers)


def _nobody(placement: Placement) -> NoNodeFits:
    told = "; ".join(f"{each.node}: {each.reason}" for each in placement.rejections)
    return NoNodeFits(detail=told or "there is no other")


def _told_by(error: SsiError, destination: str) -> list[str]:
    """What a destination has against a job, where another may take it.

    Raises:
        SsiError: It is none of the destination's doing, so no other would fare better.
    """
    match error:
        case CannotMigrate(blockers=blockers) if all(
            each.startswith(f"{destination}: ") for each in blockers
        ):
            return list(blockers)
        case MigrationFailed(step=step, reason=reason) if step in {"restore", "files", "images"}:
            return [f"{destination}: {step}: {reason}"]
        case NodeDown(node=node) | LinkDown(node=node) if node == destination:
            return [error.what()]
        case _:
            raise error
