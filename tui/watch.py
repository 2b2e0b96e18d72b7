"""Asks the nodes again and again, each at its own pace: one that is slow holds up no other."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final, TypedDict

from ssi.client.connection import Connection
from ssi.client.errors import DoorClosed
from ssi.client.system import System, why_dead
from ssi.model.counters import HostCounters
from ssi.model.errors import SsiError
from ssi.model.node import NodeRow, NodeState
from ssi.protocol.codec import BadMessage
from ssi.protocol.system import ListProcesses, ProcessList
from ssi.protocol.table import TableChange, WatchProcesses
from tui.model.census import Census
from tui.model.meters import Meters, meters_between

PATIENCE_S: Final = 5.0
"""How long one answer is waited for."""

FIRST_WAIT_S: Final = 0.4
"""How long the first picture waits for the slowest node."""


class Told(TypedDict):
    """What goes with every answer."""

    taken_at_s: float
    memory_bytes: int
    now_s: float


class Watch:
    """Keeps a census and the nodes up to date.

    Args:
        system: That is asked.
        census: That is told.
        every_s: Between two looks.

    Attributes:
        nodes: As the agent at the door saw them last.
        problem: Why nothing can be asked at all; empty where it can.
        meters: How busy each node is.
        with_traffic: Whether nodes are asked what processes read and write.
        with_threads: Whether nodes are asked for threads, too.
        with_gpus: Whether nodes are asked what processes use of GPUs.
        census: That is told.
    """

    def __init__(self, system: System, census: Census, every_s: float = 1.0) -> None:
        self.nodes: tuple[NodeRow, ...] = ()
        self.meters: dict[str, Meters] = {}
        self.problem = ""
        self.every_s = every_s
        self._system = system
        self.census = census
        self.with_traffic = False
        self.with_gpus = False
        self.with_threads = False
        self._known: dict[str, tuple[bytes, int]] = {}
        self._counters: dict[str, HostCounters] = {}
        self._older: set[str] = set()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def look_once(self, patience_s: float) -> None:
        """One look at everything; who has not answered by then goes on being asked.

        Raises:
            SsiError: The agent at the door does not answer.
        """
        self.nodes = (await self._system.nodes()).rows
        looks = [asyncio.create_task(self._look(row)) for row in self.nodes]
        if looks:
            await asyncio.wait(looks, timeout=patience_s)
        for row, look in zip(self.nodes, looks, strict=True):
            if not look.done():
                self._asking[row.name] = look

    def start(self) -> None:
        """Goes on looking in the background until :meth:`stop`."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._go_on())

    async def stop(self) -> None:
        """Ends all that is under way."""
        tasks = [*self._asking.values(), *([self._task] if self._task is not None else [])]
        self._task, self._asking = None, {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            await self._look_at_nodes()
            for row in self.nodes:
                task = self._asking.get(row.name)
                if task is None or task.done():
                    self._asking[row.name] = loop.create_task(self._look(row))
            await asyncio.sleep(max(self.every_s - (loop.time() - began_s), 0.05))

    async def _look_at_nodes(self) -> None:
        try:
            await self._mend()
            self.nodes = (await self._system.nodes()).rows
            self.problem = ""
        except SsiError as exc:
            self.problem = exc.what()
            return
        self.census.forget(row.name for row in self.nodes)

    async def _mend(self) -> None:
        """Connects to the door again where that broke."""
        broken = self._system.connection
        if not broken.is_closed:
            return
        with suppress(DoorClosed):
            self._system.connection = await Connection.open()
            await broken.close()

    async def _look(self, row: NodeRow) -> None:
        if row.state in {NodeState.DEAD, NodeState.LEFT}:
            self.census.miss(row.name, why_dead(row).what())
            return
        memory = row.metrics.memory_total_bytes if row.metrics is not None else 0
        try:
            if row.name in self._older:
                await self._look_whole(row.name, memory)
            else:
                await self._look_at_change(row.name, memory)
        except BadMessage:  # it knows no such request
            self._older.add(row.name)
        except SsiError as exc:
            self.census.miss(row.name, exc.what())

    async def _look_at_change(self, name: str, memory_bytes: int) -> None:
        table, since = self._known.get(name, (b"", 0))
        if name not in self.census.sheets:  # it was forgotten meanwhile
            table, since = b"", 0
        request = WatchProcesses(
            table=table,
            since=since,
            traffic=self.with_traffic,
            threads=self.with_threads,
            gpus=self.with_gpus,
        )
        change = await self._system.ask(request, TableChange, node=name, timeout_s=PATIENCE_S)
        told: Told = {
            "taken_at_s": change.taken_at_s,
            "memory_bytes": memory_bytes,
            "now_s": time.monotonic(),
        }
        if change.whole:
            self.census.hear(name, change.rows, departed=change.departed, **told)
        else:
            self.census.hear_change(
                name, change.rows, change.gone, departed=change.departed, **told
            )
        self._known[name] = change.table, change.version
        self.census.hear_traffic(name, change.traffic, change.taken_at_s)
        self.census.hear_gpus(name, change.gpus)
        if change.counters is not None:
            before = self._counters.get(name)
            if before is not None and (meters := meters_between(before, change.counters)):
                self.meters[name] = meters
            self._counters[name] = change.counters

    async def _look_whole(self, name: str, memory_bytes: int) -> None:
        """As an older agent is asked, which knows no changes."""
        reply = await self._system.ask(
            ListProcesses(), ProcessList, node=name, timeout_s=PATIENCE_S
        )
        self.census.hear(
            name,
            reply.rows,
            taken_at_s=reply.taken_at_s,
            memory_bytes=memory_bytes,
            now_s=time.monotonic(),
        )
