"""Processes that ssi did not start: adopted as jobs, by their owner or root."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
from pathlib import Path
from typing import Final

from nodeagent.adoption.adopter import Adopter, first_row, kill_all
from nodeagent.adoption.journal import Adoption, Journal, wake
from nodeagent.checkpoint.delivery import Delivery
from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.jobtable import JobTable
from nodeagent.migration.capability import Capability
from nodeagent.migration.doubt import Doubt
from nodeagent.peers import Peers
from nodeagent.places import Places
from nodeagent.services.table import TableService
from ssi.model.errors import SsiError
from ssi.model.process import ProcessRow
from ssi.protocol.checkpoints import AdoptProcess, CheckAdoption, JobRevived
from ssi.protocol.migration import GetOwnership, MigrationChecked, Ownership, ResumeJob
from ssi.protocol.refusals import NodeUnknown, NoSuchProcess, NotPermitted

_log = logging.getLogger(__name__)

ROUND_S: Final = 1.0
FIRST_EPOCH: Final = 1
"""Of a job that was none before."""


class AdoptionService:
    """Handlers for adoptions.

    Args:
        node: Name of this node.
        table: Its jobs.
        peers: Links to the nodes, this one among them.
        processes: Its process table.
        places: Its files.
        doubt: Settles what an agent's death cut in two.
    """

    def __init__(
        self,
        node: str,
        table: JobTable,
        peers: Peers,
        processes: TableService,
        places: Places,
        doubt: Doubt,
    ) -> None:
        self._node = node
        self._peers = peers
        self._processes = processes
        self._doubt = doubt
        self._table = table
        self._journal = Journal(places.adoptions)
        self._adopter = Adopter(
            node,
            table,
            Capability(),
            processes.rows,
            places.images,
            places.jobs,
            Delivery(node, peers, doubt.leading),
            self._journal,
            doubt.committed,
            self._finish_later,
        )
        self._tasks: asyncio.TaskGroup | None = None

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to adoptions."""
        dispatcher.serve(AdoptProcess, self._adopt)
        dispatcher.serve(CheckAdoption, self._check)

    def adopt(self, tasks: asyncio.TaskGroup) -> None:
        """Settles what an agent before this one left: who was only stopped runs on."""
        self._tasks = tasks
        for adoption in self._journal.read():
            if adoption.committed:
                self._finish_later(adoption)
            else:
                wake(adoption)
                self._journal.remove(adoption.gpid)

    async def _adopt(self, caller: Caller, body: AdoptProcess) -> JobRevived:
        row = self._asked(caller, body)
        return await self._adopter.adopt(row, body.destination or self._node, force=body.force)

    async def _check(self, caller: Caller, body: CheckAdoption) -> MigrationChecked:
        row = self._asked(caller, body)
        return await self._adopter.check(row, body.destination or self._node, force=body.force)

    def _asked(self, caller: Caller, body: AdoptProcess | CheckAdoption) -> ProcessRow:
        row = first_row(self._processes.rows(), body.gpid)
        if row is None or row.start_ms != body.start_ms or row.job:
            raise NoSuchProcess(gpid=body.gpid, detail=f"not on {self._node}, or a job's by now")
        if not caller.is_root and self._uid_of(caller.user) != _owner(row.pid):
            deed = f"adopt {body.gpid} ({row.name} of {row.user})"
            raise NotPermitted(node=self._node, user=caller.user, deed=deed)
        if body.destination not in {"", self._node, *self._peers.names()}:
            raise NodeUnknown(node=body.destination, known=", ".join(self._peers.names()))
        return row

    def _uid_of(self, user: str) -> int | None:
        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError:
            return None

    def _finish_later(self, adoption: Adoption) -> None:
        """Its destination hears of it here from this moment on."""
        assert self._tasks is not None
        self._doubt.leading[adoption.gpid] = (FIRST_EPOCH, adoption.destination)
        self._tasks.create_task(self._finish(adoption))

    async def _finish(self, adoption: Adoption) -> None:
        """The first copy is to be dead; then the other runs, which its node may ask for first."""
        while True:
            try:
                await kill_all(adoption)
                break
            except OSError as exc:
                _log.error("event=adopted-not-dead gpid=%d reason=%s", adoption.gpid, exc)
                await asyncio.sleep(ROUND_S)
        self._doubt.committed.add(adoption.gpid)
        while True:
            try:
                stage = await self._stage(adoption)
                if stage not in {"none", "ready"}:
                    break  # it runs there, or has, or is on its way from there by now
                if stage == "none":
                    _log.error("event=adopted-lost gpid=%d", adoption.gpid)
                    break
                resume = ResumeJob(gpid=adoption.gpid, epoch=FIRST_EPOCH)
                await self._peers.ask(adoption.destination, resume, timeout_s=20.0)
            except SsiError as exc:
                if self._peers.is_dismissed(adoption.destination):
                    _log.error("event=adopted-lost gpid=%d node-dismissed=1", adoption.gpid)
                    break
                _log.info("event=adoption-open gpid=%d reason=%s", adoption.gpid, exc)
            await asyncio.sleep(ROUND_S)
        self._doubt.leading.pop(adoption.gpid, None)
        self._doubt.committed.discard(adoption.gpid)
        self._journal.remove(adoption.gpid)

    async def _stage(self, adoption: Adoption) -> str:
        """How far its job has come at its destination.

        Raises:
            SsiError: That does not answer.
        """
        if adoption.destination != self._node:
            body = GetOwnership(gpid=adoption.gpid)
            reply = await self._peers.ask(adoption.destination, body, timeout_s=5.0)
            assert isinstance(reply, Ownership), reply
            return reply.stage
        if adoption.gpid in self._table.jobs or self._table.departed.of(adoption.gpid):
            return "running"
        assert self._doubt.destination is not None
        arrival = self._doubt.destination.arrivals.get(adoption.gpid)
        return "ready" if arrival is not None and arrival.is_ready else "none"


def _owner(pid: int) -> int | None:
    """Whose a process is, as its directory in /proc has it: root's where it cannot be dumped."""
    try:
        return os.stat(Path(f"/proc/{pid}")).st_uid  # noqa: PTH116
    except OSError:
        return None
