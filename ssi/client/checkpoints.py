"""Checkpoints as a face asks for them: found by name wherever they are kept, made, restored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ssi.client.system import Location, System
from ssi.model.checkpoint import CheckpointRow, CheckpointUnknown, FilesRule
from ssi.model.errors import SsiError, UsageError
from ssi.protocol.checkpoints import (
    CheckpointJob,
    CheckpointList,
    CheckpointMade,
    CloneJob,
    JobRevived,
    ListCheckpoints,
    RemoveCheckpoint,
    RestoreCheckpoint,
)
from ssi.protocol.message import Done

TIMEOUT_S: Final = 600.0


@dataclass(slots=True)
class Found:
    """Checkpoints of all nodes, and why nodes did not answer, by name."""

    rows: list[CheckpointRow] = field(default_factory=list)
    failures: dict[str, SsiError] = field(default_factory=dict)


class Checkpoints:
    """Asks for checkpoints, their restoration, and copies of jobs."""

    def __init__(self, system: System) -> None:
        self._system = system

    async def all(self, nodes: str | None = None) -> Found:
        """The caller's checkpoints of all nodes, oldest first; as root, everyone's."""
        selected = await self._system.select(nodes)
        answers = await self._system.gather(ListCheckpoints(), CheckpointList, selected)
        rows = [row for reply in answers.replies.values() for row in reply.rows]
        rows.sort(key=lambda row: (row.made_ms, row.name))
        return Found(rows, answers.failures)

    async def find(self, text: str) -> CheckpointRow:
        """The checkpoint that a person named, as ``NAME`` or ``NODE:NAME``.

        Raises:
            CheckpointUnknown: There is none.
            UsageError: Several nodes have one of that name.
            SsiError: None is found, and a node that may have it does not answer.
        """
        node, _, name = text.rpartition(":")
        found = await self.all(node or None)
        rows = [row for row in found.rows if row.name == name]
        if not rows:
            raise next(iter(found.failures.values()), CheckpointUnknown(name=text))
        if len(rows) > 1:
            names = ", ".join(f"{row.node}:{row.name}" for row in rows)
            raise UsageError(text=f"several nodes have {name}", hint=f"name one of {names}")
        return rows[0]

    async def make(self, job: Location, name: str, *, stop: bool) -> CheckpointMade:
        """Keeps a job as it is now."""
        request = CheckpointJob(gpid=job.job, start_ms=job.start_ms, name=name, stop=stop)
        return await self._system.ask(request, CheckpointMade, node=job.node, timeout_s=TIMEOUT_S)

    async def restore(
        self, row: CheckpointRow, destination: str, *, as_new: bool, files: FilesRule
    ) -> JobRevived:
        """Lets a checkpoint run on a node."""
        request = RestoreCheckpoint(
            name=row.name, destination=destination, as_new=as_new, files=files
        )
        return await self._system.ask(request, JobRevived, node=row.node, timeout_s=TIMEOUT_S)

    async def clone(self, job: Location, destination: str, *, share_files: bool) -> JobRevived:
        """Makes a second job of a running one."""
        request = CloneJob(
            gpid=job.job, start_ms=job.start_ms, destination=destination, share_files=share_files
        )
        return await self._system.ask(request, JobRevived, node=job.node, timeout_s=TIMEOUT_S)

    async def remove(self, row: CheckpointRow) -> None:
        """Removes one."""
        await self._system.ask(RemoveCheckpoint(name=row.name), Done, node=row.node)
