"""A run that a seed makes up: some members, some faults, and then quiet in which all must agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from ssi.mesh.settings import LAN, Settings
from tests.simulation.world import Broken, World

SWIM: Final = Settings(full_probing_up_to=0)
"""Random probing however few there are, so that small meshes try out what large ones do."""

QUIET_S: Final = 45.0
"""After the last fault was mended, by when all views are as the world is."""

MESSAGES_PER_S: Final = 60
"""That a member sends at most, and so many more for each member that there is."""

BYTES_PER_S: Final = 10_000


@dataclass(slots=True)
class Story:
    """One seed's run."""

    seed: int
    settings: Settings | None = None
    told: list[str] = field(default_factory=list)

    def run(self) -> World:
        """Lets it happen.

        Raises:
            Broken: Something did not hold; the message tells the whole story and how to replay it.
        """
        plot = Random(self.seed)
        settings = self.settings or plot.choice([LAN, SWIM])
        world = World(self.seed, settings)
        count = plot.randint(2, 6)
        names = [f"n{number}" for number in range(1, count + 1)]
        network = world.network
        network.loss = plot.choice([0.0, 0.0, 0.02, 0.1])
        network.doubling = plot.choice([0.0, 0.05])
        network.straggling = plot.choice([0.0, 0.02])
        network.delay_s = plot.choice([(0.0005, 0.005), (0.001, 0.05)])
        kind = "full probing" if settings is LAN else "random probing"
        self.told.append(f"{count} members, {kind}, loss {network.loss}")
        try:
            world.begin(names)
            for host in world.hosts.values():
                host.skew_ms = plot.choice([0, 0, -3_600_000, 250, 86_400_000])
            mended_s = self._faults(plot, world, names)
            world.at(mended_s, network.heal)
            world.run(mended_s + 1.0, check)
            self._agree(world, mended_s + QUIET_S * settings.probe_interval_s)
        except Broken as exc:
            raise Broken(f"{exc}\n{self}") from exc
        return world

    def __str__(self) -> str:
        told = "\n  ".join(self.told)
        replay = f"pytest tests/simulation --seed {self.seed}"
        return f"seed {self.seed}: {told}\nreplay: {replay}"

    def _faults(self, plot: Random, world: World, names: list[str]) -> float:
        """Plans what goes wrong; when all of it is mended again, or never will be."""
        mended_s = 3.0
        doomed: set[str] = set()
        for _ in range(plot.randint(1, 3)):
            at_s = plot.uniform(1.5, 9.0)
            lasts_s = plot.choice([plot.uniform(0.2, 3.0), plot.uniform(3.0, 12.0)])
            fault = plot.choice(_FAULTS)
            name = plot.choice(names)
            if name in doomed and fault not in {"cut", "partition"}:
                continue
            self.told.append(f"{at_s:.1f} s: {fault} {name} for {lasts_s:.1f} s")
            mended_s = max(mended_s, at_s + lasts_s)
            match fault:
                case "pause":
                    world.at(at_s, partial(world.pause, name))
                    world.at(at_s + lasts_s, partial(world.resume, name))
                case "restart":
                    world.at(at_s, partial(world.kill, name))
                    world.at(at_s + lasts_s, partial(_boot, world, name))
                case "kill":
                    world.at(at_s, partial(world.kill, name))
                case "leave":
                    world.at(at_s, partial(world.leave, name))
                case "join":
                    new = f"x{len(self.told)}"
                    world.at(at_s, partial(_join, world, new))
                case "cut":
                    other = plot.choice(names)
                    world.at(at_s, partial(world.network.cuts.add, (name, other)))
                case "partition":
                    side = {each: plot.randint(0, 1) for each in names}
                    world.at(at_s, partial(world.network.side.update, side))
            if fault in {"kill", "leave", "restart", "pause"}:
                doomed.add(name)
        return mended_s

    def _agree(self, world: World, limit_s: float) -> None:
        while world.disagreements():
            if world.now_s >= limit_s:
                wrong = "; ".join(world.disagreements()[:6])
                raise Broken(f"at {world.now_s:.0f} s, long after all was mended: {wrong}")
            world.run(world.now_s + 1.0, check)


_FAULTS: Final = ("pause", "pause", "restart", "kill", "leave", "join", "cut", "partition")


def _boot(world: World, name: str) -> None:
    if not world.hosts[name].running:
        world.boot(name)


def _join(world: World, new: str) -> None:
    living = [host.name for host in world.running() if not host.paused]
    if living:
        world.join(new, living[:2])


def check(world: World) -> None:
    """What must hold at any time, looked at once a second.

    Raises:
        Broken: It does not.
    """
    count = len(world.hosts)
    for name, sent in world.messages.items():
        if sent > MESSAGES_PER_S + 20 * count:
            raise Broken(f"{name} sent {sent} messages in a second")
    for name, size in world.bytes.items():
        if size > BYTES_PER_S + 2_000 * count:
            raise Broken(f"{name} sent {size} bytes in a second")
    for host in world.running():
        queue = len(host.machine.beliefs.gossip)
        if queue > count + 1:
            raise Broken(f"{host.name} has {queue} rumours to pass on, of {count} members")
