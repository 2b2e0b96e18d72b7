"""All services of a node that is a member, put together."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import msgspec

from nodeagent.checkpoint.manifest import seal_key
from nodeagent.checkpoint.store import Store
from nodeagent.clientfiles import ClientFiles
from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.jobtable import JobTable
from nodeagent.keeperlink import KeeperLink
from nodeagent.mechanism.hostmetrics import HostMetrics
from nodeagent.peers import Peers
from nodeagent.places import Places
from nodeagent.readyshims import ReadyShims
from nodeagent.register import Register
from nodeagent.services.adoption import AdoptionService
from nodeagent.services.checkpoints import CheckpointService
from nodeagent.services.clients import ClientKeys
from nodeagent.services.cordon import CordonService
from nodeagent.services.examination import ExaminationService
from nodeagent.services.freezer import FreezerService
from nodeagent.services.guests import GuestService
from nodeagent.services.jobs import JobService
from nodeagent.services.migration import MigrationService
from nodeagent.services.mounts import MountService
from nodeagent.services.pipes import PipeService
from nodeagent.services.signalling import SignalService
from nodeagent.services.streams import StreamService
from nodeagent.services.table import TableService
from nodeagent.services.tuning import TuningService
from nodeagent.services.watching import WatchService
from ssi.model.job import JobRow
from ssi.model.node import NodeMetrics

METRICS_AGE_S = 1.5
"""How old metrics may be. They are read anew each second, and only where that came late, or they
were forgotten, does somebody wait for a reading."""


class NodeServices:
    """What a node serves beside the mesh.

    Args:
        node: Its name.
        places: Its files.
        register: The roster.
        peers: Links to the others.
        secret: Its secret key, from which that of its seals is derived.
        tasks: In which its long work is done.
    """

    def __init__(
        self,
        node: str,
        places: Places,
        register: Register,
        peers: Peers,
        secret: str,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._node = node
        self._register = register
        self._tasks = tasks
        self._ready_shims = ReadyShims()
        self._keeper = KeeperLink(places.keeper_socket, tasks, self._ready_shims.drop)
        self._host = HostMetrics()
        self._metrics: NodeMetrics | None = None
        self._metrics_at_s = 0.0
        self.jobs = JobTable(node, self._number, places, tasks)
        self._table = TableService(node, self._number, self.jobs)
        self._client_files = ClientFiles(node, places, self._rows, register.owner_of)
        self._job_service = JobService(
            node,
            self.jobs,
            self._keeper.fork_shim,
            self._table.job_rows,
            self._table.states_of,
            self._client_files,
            self._ready_shims,
            tasks,
        )
        self._streams = StreamService(node, self.jobs)
        self._pipes = PipeService(node, self.jobs, peers, self._job_service.let_go, tasks)
        self._cordon = CordonService(places.cordon, self._forget_metrics)
        self._freezer = FreezerService(node, self.jobs)
        self._examination = ExaminationService(node, places, self._cordon)
        self._mounts = MountService(node, places)
        self._guests = GuestService(node, places.guests, register)
        self._migration = MigrationService(
            node,
            self.jobs,
            peers,
            self._table,
            self._job_service,
            self._client_files,
            places.images,
        )
        self._checkpoints = CheckpointService(
            node,
            self.jobs,
            peers,
            self._table,
            places.images,
            Store(node, places.checkpoints, partial(seal_key, secret)),
            self._migration.doubt.leading,
        )
        self._adoption = AdoptionService(
            node, self.jobs, peers, self._table, places, self._migration.doubt
        )
        self._peers = peers

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves all that belongs to a node."""
        ClientKeys(self._node, self._register).register_handlers(dispatcher)
        self._table.register_handlers(dispatcher)
        SignalService(self._node, self.jobs, self._table).register_handlers(dispatcher)
        watch = WatchService(self._node, self._table, self.jobs.whereabouts)
        watch.register_handlers(dispatcher)
        TuningService(self._node, self.jobs, self._table).register_handlers(dispatcher)
        self._job_service.register_handlers(dispatcher)
        self._streams.register_handlers(dispatcher)
        self._pipes.register_handlers(dispatcher)
        self._migration.register_handlers(dispatcher)
        self._cordon.register_handlers(dispatcher)
        self._freezer.register_handlers(dispatcher)
        self._examination.register_handlers(dispatcher)
        self._checkpoints.register_handlers(dispatcher)
        self._adoption.register_handlers(dispatcher)
        itself = Caller(user="root", node=self._node)
        self._peers.answer_own(
            lambda request: dispatcher.answer(
                request, Caller(user=request.caller) if request.caller else itself
            )
        )
        self._mounts.register_handlers(dispatcher)
        self._guests.register_handlers(dispatcher)
        self._client_files.register_handlers(dispatcher)

    async def adopt(self) -> None:
        """Finds the jobs that an earlier agent left, and sees to it that there is a keeper."""
        await self.jobs.adopt()
        self._migration.adopt(self._tasks)
        self._checkpoints.adopt(self._tasks)
        self._adoption.adopt(self._tasks)
        self._tasks.create_task(self._keeper.watch())
        self._tasks.create_task(self._client_files.run())
        self._tasks.create_task(self._pipes.run())

    def metrics(self) -> NodeMetrics:
        """How this machine fares, at most :data:`METRICS_AGE_S` old."""
        if self._metrics is None or time.monotonic() - self._metrics_at_s > METRICS_AGE_S:
            return self._keep(self._host.read(jobs=len(self.jobs.living())))
        return self._metrics

    async def read_metrics(self) -> NodeMetrics:
        """How this machine fares, read now, by a thread: no key waits for it.

        Where 760 processes run it takes 2.3 ms of a processor, each second.
        """
        return self._keep(await asyncio.to_thread(self._host.read, len(self.jobs.living())))

    def _keep(self, read: NodeMetrics) -> NodeMetrics:
        self._metrics = msgspec.structs.replace(read, cordoned=self._cordon.is_set)
        self._metrics_at_s = time.monotonic()
        return self._metrics

    def _rows(self) -> list[JobRow]:
        """The jobs that run here, and those that are on their way here."""
        return [*(job.row for job in self.jobs.living()), *self._migration.arriving()]

    def _forget_metrics(self) -> None:
        """The next prober is to hear what has just changed."""
        self._metrics = None

    def _number(self) -> int | None:
        roster = self._register.roster
        entry = roster.node(self._node) if roster is not None else None
        return entry.number if entry is not None else None
