"""A run that a seed makes up: a job that is moved about while agents, nodes and links fail."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from nodeagent.migration.hold import Point
from ssi.model.migration import Live
from tests.simulation.cluster import Cluster
from tests.simulation.standins import in_place_of_the_world
from tests.simulation.virtualtime import VirtualLoop
from tests.simulation.world import Broken

MEMORY: Final = Path("/dev/shm")

QUIET_S: Final = 60.0
"""After the last fault was mended, by when one copy runs and nothing is left over."""

_DEEDS: Final = ("a copy", "a dump", "a commit", "a restore", "a resume")
_FAULTS: Final = ("agent", "agent", "node", "cut", "cut", "partition", "shim", "keeper")


@dataclass(slots=True)
class MoveStory:
    """One seed's run."""

    seed: int
    told: list[str] = field(default_factory=list)

    def run(self) -> Cluster:
        """Lets it happen.

        Raises:
            Broken: Something did not hold; the message tells the whole story and how to replay it.
        """
        directory = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        try:
            with asyncio.Runner(loop_factory=VirtualLoop) as runner:
                return runner.run(self._run(directory))
        finally:
            shutil.rmtree(directory)

    async def _run(self, directory: Path) -> Cluster:
        plot = Random(self.seed)
        names = ["n1", "n2", "n3"][: plot.choice([2, 3, 3])]
        cluster = Cluster(self.seed, names, directory)
        network = cluster.network
        network.loss = plot.choice([0.0, 0.0, 0.02])
        network.doubling = plot.choice([0.0, 0.05])
        network.straggling = plot.choice([0.0, 0.05])
        network.delay_s = plot.choice([(0.0005, 0.005), (0.001, 0.2), (0.01, 1.0)])
        cluster.ledger.clumsy = plot.choice([0.0, 0.0, 0.1])
        try:
            with in_place_of_the_world(cluster):
                await cluster.run(self._happen(plot, cluster))
        except* Exception as group:  # whatever an agent could not handle is a bug, too
            error: BaseException = group
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            told = "\n  ".join([*self.told, *cluster.ledger.told])
            replay = f"pytest tests/simulation/test_moves.py --seed {self.seed}"
            name = "" if isinstance(error, Broken) else traceback.format_exception(error)[-3:]
            raise Broken(
                f"{error!r:.300}{name}\nseed {self.seed}:\n  {told}\nreplay: {replay}"
            ) from None
        return cluster

    async def _happen(self, plot: Random, cluster: Cluster) -> None:
        names = list(cluster.nodes)
        await cluster.begin(plot.choice(names))
        self._plan_faults(plot, cluster, names)
        clients = []
        for _ in range(plot.randint(2, 5)):
            at_s = plot.choice([0.5, 2.0, plot.uniform(0.0, 25.0)])
            self.told.append(f"{at_s:.1f} s: somebody asks for a move")
            live = plot.choice([None, Live.PRE])
            clients.append(cluster.spawn(self._ask(cluster, at_s, plot.choice(names), live)))
        await asyncio.sleep(30.0)
        cluster.points.clear()
        cluster.network.heal()
        cluster.network.delay_s = (0.0005, 0.005)
        cluster.ledger.clumsy = 0.0
        cluster.ledger.tell("all is mended")
        for node in cluster.nodes.values():
            node.keeper_works = True
            await cluster.boot(node.name)
            await cluster.start_agent(node.name)
        await self._agree(cluster)
        for client in clients:
            client.cancel()

    async def _agree(self, cluster: Cluster) -> None:
        for _ in range(int(QUIET_S)):
            await asyncio.sleep(1.0)
            if not cluster.leftovers():
                return
        raise Broken(f"{QUIET_S:.0f} s after all was mended: {'; '.join(cluster.leftovers())}")

    async def _ask(
        self, cluster: Cluster, at_s: float, destination: str, live: Live | None
    ) -> None:
        await asyncio.sleep(at_s)
        await cluster.migrate(destination, live)

    def _plan_faults(self, plot: Random, cluster: Cluster, names: list[str]) -> None:
        for _ in range(plot.randint(1, 3)):
            fault, lasts_s = plot.choice(_FAULTS), plot.choice([0.3, 3.0, plot.uniform(0.1, 20.0)])
            name, other = plot.choice(names), plot.choice(names)
            if plot.random() < 0.6:
                point = plot.choice([*Point, *_DEEDS])
                self.told.append(f"at {point}: {fault} for {lasts_s:.1f} s")
                cluster.points[point] = _at_point(cluster, fault, lasts_s, names)
            else:
                at_s = plot.uniform(0.5, 25.0)
                self.told.append(f"{at_s:.1f} s: {fault} {name} {other} for {lasts_s:.1f} s")
                cluster.spawn(_later(cluster, at_s, fault, (name, other), lasts_s))


def _at_point(
    cluster: Cluster, fault: str, lasts_s: float, names: list[str]
) -> Callable[[str], None]:
    def happen(name: str) -> None:
        other = cluster.random.choice([each for each in names if each != name])
        struck = cluster.random.choice([name, name, other])
        pair = (struck, name if struck == other else other)
        cluster.spawn(_strike(cluster, fault, pair, lasts_s))

    return happen


async def _later(
    cluster: Cluster, at_s: float, fault: str, pair: tuple[str, str], lasts_s: float
) -> None:
    await asyncio.sleep(at_s)
    await _strike(cluster, fault, pair, lasts_s)


async def _strike(cluster: Cluster, fault: str, pair: tuple[str, str], lasts_s: float) -> None:
    name, other = pair
    cluster.ledger.tell(f"{fault} {name} {other} for {lasts_s:.1f} s")
    match fault:
        case "agent":
            cluster.kill_agent(name)
            await asyncio.sleep(lasts_s)
            await cluster.start_agent(name)
        case "node":
            cluster.kill_node(name)
            await asyncio.sleep(lasts_s)
            await cluster.boot(name)
        case "cut":
            both = {(name, other), (other, name)}
            cluster.network.cuts |= both
            await asyncio.sleep(lasts_s)
            cluster.network.cuts -= both
        case "partition":
            cluster.network.side[name] = 1
            await asyncio.sleep(lasts_s)
            cluster.network.side.pop(name, None)
        case "shim":
            cluster.kill_shim(name)
        case "keeper":
            cluster.nodes[name].keeper_works = False
            await asyncio.sleep(lasts_s)
            cluster.nodes[name].keeper_works = True
