"""Nodes whose agents are the real ones as far as a move goes: its two sides, doubt, the job table.

Made up are the clock, the network between the agents, the shims and what is looked at on a machine.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final, cast

from nodeagent.clientfiles import ClientFiles
from nodeagent.dispatch import Dispatcher
from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.migration.hold import Point
from nodeagent.places import Places
from nodeagent.services.jobs import JobService
from nodeagent.services.migration import MigrationService
from nodeagent.services.table import TableService
from nodeagent.shim.stage import Stage
from nodeagent.shimlink import ShimGone, ShimLink
from ssi.model.errors import SsiError
from ssi.model.gpid import Gpid
from ssi.model.job import JobRow, JobState
from ssi.model.migration import Live
from ssi.model.shim import ShimFailed
from ssi.protocol.refusals import LinkDown
from tests.simulation.copies import Ledger, SimShim
from tests.simulation.network import Network
from tests.simulation.standins import LIFE, Life, Node, NoProcesses, Shims, SimLink
from tests.simulation.wire import SimPeers, Wire
from tests.simulation.world import Broken

GPID: Final = Gpid(15_000_001)


class Cluster:
    """Some nodes with one job among them."""

    def __init__(self, seed: int, names: list[str], directory: Path) -> None:
        self.random = Random(seed)
        self.loop = asyncio.get_running_loop()
        self.ledger = Ledger(self.random, self.loop.time)
        self.network = Network(self.random)
        self.nodes = {name: self._node(name, directory / name) for name in names}
        self.ledger.on_deed = self._begun
        self.points: dict[str, Callable[[str], None]] = {}
        """What is to happen once, when an agent reaches a point, or a shim is in the middle of a
        deed."""
        self.failures: list[str] = []
        self._tasks = asyncio.TaskGroup()
        self.wire = Wire(self.network, self.random, self.nodes)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Does something that no agent's death ends."""
        return self._tasks.create_task(work)

    async def run(self, plot: Coroutine[Any, Any, None]) -> None:
        """Lets ``plot`` happen, and clears away all that it made.

        Raises:
            Broken: Something did not hold.
        """
        self.loop.set_exception_handler(self._note_failure)
        try:
            async with self._tasks:
                await plot
                for node in self.nodes.values():
                    await self._end_agent(node)
                raise _Over
        except* _Over:
            pass
        gc.collect()  # a task that nobody has hold of any more is found now, and not some day
        if self.failures:
            raise Broken("; ".join(self.failures))

    def _note_failure(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        exc = context.get("exception")
        # An answer that nobody waits for any more is no failure.
        if not isinstance(exc, SsiError):
            self.failures.append(f"{context['message']}: {exc!r}")

    # What may happen

    async def begin(self, name: str) -> None:
        """All agents run, and the job on one node."""
        for node in self.nodes.values():
            await self.start_agent(node.name)
        node = self.nodes[name]
        assert node.life is not None and node.life.table is not None
        row = JobRow(
            gpid=GPID,
            node=name,
            user="ada",
            argv=("x",),
            cwd="/",
            state=JobState.STARTING,
            start_ms=1,
            detached=True,
            nodes=(name,),
        )
        job = node.life.table.make(row)
        await self._open_shim(node.life, job)
        shim = self._shim_at(job.sockets)
        assert shim is not None
        shim.stage = Stage.RUNNING
        self.ledger.start(shim)
        job.become(JobState.RUNNING)
        node.life.table.add(job)
        await job.note()

    async def start_agent(self, name: str) -> None:
        """As its keeper does; nothing where one runs or the machine is down."""
        node = self.nodes[name]
        if not node.up or node.life is not None:
            return
        self.ledger.tell(f"{name}: agent starts")
        node.life = life = Life(name)
        life.context.run(LIFE.set, life)
        life.main = self._tasks.create_task(self._live(node, life), context=life.context)
        while life.dispatcher is None and not life.dead:
            await asyncio.sleep(0.001)

    def kill_agent(self, name: str) -> None:
        """Kill -9."""
        node = self.nodes[name]
        life, node.life = node.life, None
        if life is None:
            return
        self.ledger.tell(f"{name}: agent dies")
        life.dead, life.dispatcher = True, None
        assert life.main is not None
        life.main.cancel()
        self.wire.break_links_of(name)

    def kill_node(self, name: str) -> None:
        """The power goes."""
        node = self.nodes[name]
        if not node.up:
            return
        node.up = False
        self.kill_agent(name)
        for shim in [each for each in self.ledger.shims if each.node == name]:
            shim.die(killed=True)
        shutil.rmtree(node.places.runtime)
        self.ledger.tell(f"{name}: is off")

    async def boot(self, name: str) -> None:
        """The power is back, and so is its agent."""
        node = self.nodes[name]
        if not node.up:
            node.up = True
            _make_runtime(node.places)
            await self.start_agent(name)

    def kill_shim(self, name: str) -> None:
        """Kill -9 of a shim there, if there is one."""
        here = [each for each in self.ledger.shims if each.node == name]
        if here:
            self.random.choice(here).die(killed=True)

    async def migrate(self, destination_name: str, live: Live | None = None) -> str:
        """As a user: asks the node that has the job; the word of the outcome."""
        for node in self.nodes.values():
            life = node.serving
            if life is not None and life.table is not None and GPID in life.table.jobs:
                service = life.service
                job = life.table.jobs[GPID]
                assert service is not None
                try:
                    await self._in(life, service._source.move(job, destination_name, live))
                except SsiError as exc:
                    self.ledger.tell(f"migrate to {destination_name}: {exc}")
                    return exc.word
                self.ledger.tell(f"migrate to {destination_name}: done")
                return ""
        return "absent"

    # What can be seen

    def leftovers(self) -> list[str]:
        """What is not as it is where one copy runs and nothing else is left."""
        found = []
        running = self.ledger.running()
        if len(running) != 1 and not self.ledger.may_be_lost:
            found.append(f"{len(running)} copies run")
        home = running[0].node if running else ""
        found += [f"shim {shim}" for shim in self.ledger.shims if shim not in running]
        lost = 0
        for node in self.nodes.values():
            life = node.serving
            if life is None or life.table is None or life.service is None:
                found.append(f"{node.name} does not serve")
                continue
            row = life.table.jobs[GPID].row if GPID in life.table.jobs else None
            lost += row is not None and row.state is JobState.LOST
            if node.name == home:
                if row is None or row.state is not JobState.RUNNING:
                    found.append(f"{node.name} has it and says {row.state if row else 'nothing'}")
                elif life.table.jobs[GPID].stage != "running":
                    found.append(f"{node.name} runs it as {life.table.jobs[GPID].stage}")
            elif row is not None and row.state is not JobState.LOST:
                found.append(f"{node.name} has it not and says {row.state}")
            found += [f"{node.name}: arrival" for _ in life.service._destination.arrivals]
            found += [f"{node.name}: {path.name}" for path in node.places.images.iterdir()]
            if node.name != home and row is None:
                found += [f"{path}" for path in node.places.jobs.iterdir()]
        if not running and not lost:
            found.append("nobody says that it is lost")
        if running and lost:
            found.append("it runs, and somebody says that it is lost")
        return found

    # The agents

    def _node(self, name: str, directory: Path) -> Node:
        places = Places(directory / "run", directory / "state")
        _make_runtime(places)
        places.jobs.mkdir(parents=True)
        return Node(name, places)

    async def _live(self, node: Node, life: Life) -> None:
        with suppress(asyncio.CancelledError):
            async with life.tasks:
                dispatcher = Dispatcher(life.node, life.tasks)
                life.table = JobTable(life.node, lambda: 1, node.places, life.tasks)
                peers = SimPeers(self.wire, life)
                life.service = service = MigrationService(
                    life.node,
                    life.table,
                    peers,
                    cast("TableService", NoProcesses()),
                    cast("JobService", Shims(partial(self._open_shim, life))),
                    ClientFiles(life.node, node.places, list, lambda _key: None),
                    node.places.images,
                    lambda _arrival, _packer: None,  # it would need a thread and the real clock
                )
                service.register_handlers(dispatcher)
                await life.table.adopt()
                service.adopt(life.tasks)
                life.dispatcher = dispatcher
                await asyncio.Event().wait()

    async def _end_agent(self, node: Node) -> None:
        life = node.life
        self.kill_agent(node.name)
        if life is not None and life.main is not None:
            await asyncio.wait([life.main])

    async def _in(self, life: Life, work: Coroutine[Any, Any, Any]) -> object:
        """Does something within an agent; silent for ever where that dies."""
        done: asyncio.Future[object] = self.loop.create_future()

        async def carry_out() -> None:
            try:
                result = await work
            except SsiError as exc:
                if not done.done():
                    done.set_exception(exc)
            else:
                if not done.done():
                    done.set_result(result)

        if life.dead:
            work.close()
            raise LinkDown(node=life.node, reason="its agent died")
        task = life.tasks.create_task(carry_out(), context=life.context.copy())
        await asyncio.wait([task])
        if not done.done():
            raise LinkDown(node=life.node, reason="its agent died")
        return done.result()

    # The shims

    async def _open_shim(self, life: Life, job: Job) -> None:
        await asyncio.sleep(0.01)
        node = self.nodes[life.node]
        if not node.keeper_works or not job.sockets.is_dir():
            raise ShimFailed(reason="the keeper is away")
        pledge = node.places.jobs / str(job.row.gpid) / "pledge"
        shim = SimShim(self.ledger, life.node, job.sockets, pledge.exists)
        job.shim_pid = shim.pid
        job.link = SimLink(self.spawn, life, shim)

    def _shim_at(self, path: Path) -> SimShim | None:
        return next((shim for shim in self.ledger.shims if shim.path == path), None)

    async def connect(
        self, path: Path, tasks: asyncio.TaskGroup, timeout_s: float = 5.0
    ) -> ShimLink:
        """In the place of :meth:`ShimLink.connect`."""
        shim = self._shim_at(path.parent)
        if shim is None:
            raise ShimGone(path=str(path), reason="nobody listens")
        return SimLink(self.spawn, LIFE.get(), shim)

    def kill_pid(self, pid: int, _number: int) -> None:
        shim = next((shim for shim in self.ledger.shims if shim.pid == pid), None)
        if shim is None:
            raise ProcessLookupError
        if shim.since_s is not None:
            raise Broken(f"{shim} was killed by its agent")
        shim.die(killed=False)

    async def reach(self, point: Point, _gpid: int) -> None:
        """In the place of :func:`nodeagent.migration.hold.reach`."""
        happens = self.points.pop(point, None)
        if happens is not None:
            self.ledger.tell(f"{LIFE.get().node} reaches {point}")
            happens(LIFE.get().node)
            await asyncio.sleep(0)

    def _begun(self, shim: SimShim) -> None:
        happens = self.points.pop(shim.doing, None)
        if happens is not None:
            self.ledger.tell(f"{shim} is at it")
            self.loop.call_later(0.005, happens, shim.node)


class _Over(Exception):
    """The run has come to its end."""


def _make_runtime(places: Places) -> None:
    for directory in (places.job_sockets, places.images):
        directory.mkdir(parents=True)
