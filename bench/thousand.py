"""What membership costs and how fast it is with a thousand members, in one process.

The production machine runs on a virtual clock (tests/simulation), with 5 % of loss where it says
so. Bytes are those of the encoded datagrams, without TCP and encryption; with ``--metrics`` each
ack also carries what real ones do. The processor's time is that of this process for each member
and second of virtual time: what the bar judges holds the network and the clock of the simulation
and the encoding of each datagram, too. What the members' state machines alone took of it is told
beside.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ssi.mesh.event import Event, Instruction
from ssi.model.node import NodeState
from ssi.protocol.pulse import Ack, AnyDatagram
from tests.simulation import world as simulation
from tests.simulation.world import World

FARES = b"x" * 130
"""As long as version and metrics of a node are, encoded."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3, help="joins and deaths that are timed")
    parser.add_argument("--churn-s", type=float, default=10.0, help="between two joins or deaths")
    parser.add_argument("--metrics", action="store_true", help="count metrics on acks, too")
    options = parser.parse_args()
    names = [f"n{number}" for number in range(1, options.members + 1)]
    holds = []
    for loss in (0.0, 0.05):
        holds += [known(names, seed, loss) for seed in range(options.seeds)]
    world = settled(names, 99, 0.0, metrics=options.metrics)
    holds.append(span(world, "quiet", 10.0, 10.0))
    every_s = options.churn_s
    label = f"a join or a death each {every_s:g} s"
    holds.append(span(world, label, 4 * every_s, every_s))
    return 0 if all(holds) else 1


def settled(names: list[str], seed: int, loss: float, *, metrics: bool = False) -> Timed:
    world = WithMetrics(seed) if metrics else Timed(seed)
    world.begin_settled(names)
    world.network.loss = loss
    world.run(3.0)
    return world


class Timed(World):
    """Tells what the state machines alone take."""

    deciding_ns = 0

    def _decide(self, host: simulation.Host, event: Event) -> tuple[list[Instruction], float]:
        began_ns = time.thread_time_ns()
        decided = super()._decide(host, event)
        self.deciding_ns += time.thread_time_ns() - began_ns
        return decided


class WithMetrics(Timed):
    """Acks are as long as real ones."""

    def _send(self, host: simulation.Host, to: str, datagram: AnyDatagram) -> None:
        super()._send(host, to, datagram)
        if isinstance(datagram, Ack) and datagram.wall_ms:
            self.bytes[host.name] += len(FARES)


def known(names: list[str], seed: int, loss: float) -> bool:
    """A join, of which one member is told, and a death: after how long all know."""
    world = settled(names, seed, loss)
    world.join("x1", told=["n7"])
    join_s = until(world, lambda: all_believe(world, "x1", NodeState.ALIVE), 30.0)
    world.kill("n5")
    death_s = until(world, lambda: all_believe(world, "n5", NodeState.DEAD), 60.0)
    false = {each.name for each in world.sightings if each.after is NodeState.DEAD} - {"n5"}
    print(
        f"{len(names)} members, seed {seed}, loss {loss:.0%}: join known to all after"
        f" {join_s:.1f} s (bar 8), death after {death_s:.1f} s (bar 20), {len(false)} false deaths",
        flush=True,
    )
    return join_s <= 8.0 and death_s <= 20.0 and not false


def all_believe(world: World, name: str, state: NodeState) -> bool:
    return all(world.knows(each.name, name, state) for each in world.running() if each.name != name)


def until(world: World, happened: Callable[[], bool], limit_s: float) -> float:
    began_s = world.now_s
    while not happened() and world.now_s < began_s + limit_s:
        world.run(world.now_s + 0.2)
    return world.now_s - began_s


def span(world: Timed, label: str, lasts_s: float, every_s: float) -> bool:
    """So long, with a join and a death by turns each ``every_s``: bytes and processor of each."""
    world.bytes.clear()
    world.deciding_ns = 0
    began_s, turn = world.now_s, 0
    cpu_s = time.process_time()
    while world.now_s < began_s + lasts_s - 1e-6:
        living = [each.name for each in world.running()]
        if every_s < lasts_s and turn % 2:
            world.kill(world.random.choice(living))
        elif every_s < lasts_s:
            world.join(f"y{turn}", told=[world.random.choice(living)])
        turn += 1
        world.run(world.now_s + min(every_s, lasts_s))
    count = len(world.running())
    share = (time.process_time() - cpu_s) / lasts_s / count * 100
    deciding = world.deciding_ns / 1e9 / lasts_s / count * 100
    rate = sum(world.bytes.values()) / lasts_s / count
    print(
        f"{label}: {rate:.0f} B/s (bar 200) and {share:.4f} % of a core (bar 0.05) each, of which"
        f" the member itself took {deciding:.4f} %",
        flush=True,
    )
    return rate <= 200.0 and share <= 0.05


if __name__ == "__main__":
    sys.exit(main())
