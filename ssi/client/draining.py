"""A node is emptied: its jobs go to wherever placement sends them, a few at a time.

Nothing of a drain is kept anywhere but the cordon and the jobs that are left, so one that was
interrupted is resumed by beginning again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final, Protocol

from ssi.client.moves import Moved, Mover
from ssi.client.system import Location, System
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState
from ssi.model.migration import LostOnTheWay, MigrationLost
from ssi.protocol.message import Done
from ssi.protocol.refusals import JobMoved, NoSuchProcess
from ssi.protocol.system import CordonNode, JobList, ListJobs

MAX_ROUNDS: Final = 10
"""Who starts jobs on a node by its name while it is drained does not keep the drain for ever."""

NOT_TRIED: Final = "not tried yet"


class Watcher(Protocol):
    """Is told how a drain goes."""

    def began(self, gpid: int, to_go: int) -> None:
        """A job begins to move; ``to_go`` wait behind it."""

    def moved(self, moved: Moved) -> None:
        """It has arrived."""

    def went(self, gpid: int) -> None:
        """It has ended meanwhile, or somebody else moved it."""

    def stays(self, gpid: int, error: SsiError) -> None:
        """It could not be moved."""

    def lost(self, gpid: int, error: SsiError) -> None:
        """It is nowhere any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A job that is still on the node.

    Attributes:
        word: Of the error that kept it; empty where it was not tried.
        reason: For a person.
    """

    gpid: int
    word: str
    reason: str


@dataclass(slots=True, kw_only=True)
class Drained:
    """How a drain ended.

    Attributes:
        left: Jobs that are still on the node.
        lost: By gpid, why jobs are nowhere any more.
    """

    node: str
    moved: list[Moved] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    lost: dict[int, SsiError] = field(default_factory=dict)


class Draining:
    """One drain.

    Args:
        system: That is asked.
        node: To be emptied.
        parallel: How many jobs move at once.
        watcher: Is told of each.
    """

    def __init__(self, system: System, node: str, parallel: int, watcher: Watcher) -> None:
        self.stopping = False
        self._system = system
        self._node = node
        self._mover = Mover(system)
        self._slots = asyncio.Semaphore(parallel)
        self._watcher = watcher
        self._result = Drained(node=node)
        self._failed: dict[int, SsiError] = {}
        self._waiting = 0

    def stop(self) -> None:
        """Begins no further move; those under way are finished."""
        self.stopping = True

    async def run(self) -> Drained:
        """Cordons the node and moves all that can be moved.

        Raises:
            SsiError: The node cannot be cordoned, or does not answer.
        """
        await self._system.ask(CordonNode(cordoned=True), Done, node=self._node)
        for _round in range(MAX_ROUNDS):
            untried = [row for row in await self._jobs() if row.gpid not in self._failed]
            if not untried or self.stopping:
                break
            self._waiting = len(untried)
            await asyncio.gather(*(self._evict(row) for row in untried))
        rows = [row for row in await self._jobs() if row.gpid not in self._result.lost]
        self._result.left = [self._why_left(row) for row in rows]
        return self._result

    async def _jobs(self) -> list[JobRow]:
        """The jobs that are on the node now, oldest first."""
        reply = await self._system.ask(ListJobs(), JobList, node=self._node)
        return [row for row in reply.rows if row.state not in {JobState.EXITED, JobState.LOST}]

    async def _evict(self, row: JobRow) -> None:
        async with self._slots:
            self._waiting -= 1
            if self.stopping:
                return
            self._watcher.began(row.gpid, self._waiting)
            job = Location(node=self._node, gpid=row.gpid, start_ms=row.start_ms, job=row.gpid)
            try:
                moved = await self._mover.move_anywhere(job)
            except (JobMoved, NoSuchProcess):
                self._watcher.went(row.gpid)  # the next round sees if it is back
            except (MigrationLost, LostOnTheWay) as exc:
                self._result.lost[row.gpid] = self._failed[row.gpid] = exc
                self._watcher.lost(row.gpid, exc)
            except SsiError as exc:
                self._failed[row.gpid] = exc
                self._watcher.stays(row.gpid, exc)
            else:
                self._result.moved.append(moved)
                self._watcher.moved(moved)

    def _why_left(self, row: JobRow) -> Left:
        error = self._failed.get(row.gpid)
        if error is None:
            return Left(gpid=row.gpid, word="", reason=NOT_TRIED)
        return Left(gpid=row.gpid, word=error.word, reason=error.what())
