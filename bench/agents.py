"""Many real agents on one machine: whether their view is stable, and what each costs.

They run on one host of a lab, on its loopback, each as on a machine of its own (``meshagent.py``);
without file servers, which have no part in the mesh. They start a few at a time, and the mesh grows
in steps. Of newcomers a single other agent is told: the others learn of them from signed entries on
the heartbeats. Then nothing happens for a while, one joins, and one is killed. The last line is the
verdict, with all that was missed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster import cluster
from ending import ending
from meshagent import Agent

from ssi.model.node import NodeState, Roster

AT_ONCE = 4
"""Agents that start at the same time: twice as many as the cores that this was written on."""

NEED_MB = 45
"""Of memory for each, with its keeper."""

START_S = 900.0
GROW_S = 180.0
KNOWN_S = 120.0
"""How long all may take to start, newcomers to know all, and all to know of a change."""

CHANGE = re.compile(r"event=member node=(\S+) before=\S+ after=(suspect|dead) ")
FIRST = 60
STEP = 10
"""Agents that the mesh has first, and by which it grows then. First more than are probed whole in
each period: on one machine fifty of them cost more than a hundred do beyond. Then by as many as
people add to a large mesh: where a third of two hundred came at once it had not formed after 180 s.
"""

WIDTH = 4


class Missed(Exception):
    """Something did not come to hold in time, and what follows rests on it."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("agents", type=int, nargs="?", default=200)
    parser.add_argument("--seconds", type=float, default=60.0, help="of quiet that are watched")
    parser.add_argument(
        "--nice", type=int, default=10, help="priority of the agents: 19 the lowest"
    )
    options = parser.parse_args()
    if options.agents < 3:
        parser.error("a mesh of fewer than three tells nothing")
    need_mb, there_mb = NEED_MB * (options.agents + 1), available_mb()
    if need_mb > there_mb:
        parser.error(f"{options.agents} agents want {need_mb} MB, and {there_mb:.0f} are there")
    with cluster(1) as made:
        agents = [Agent(f"m{i:0{WIDTH}}", made, i) for i in range(1, options.agents + 2)]
        host = made.lab.host("n1")
        bundles = Path(f"{host.root}/var/lib/ssi/bundles")
        library = next(
            f"/{each.relative_to(host.root)}" for each in bundles.glob("*/lib/nodeagent")
        )
        try:
            missed = measure(agents, str(Path(library).parent), options.nice, options.seconds)
        finally:
            with ending.cleaning():
                for agent in agents:
                    agent.end()
    what = f"{options.agents} agents, {options.seconds:g} s of quiet, a join, a death"
    print(f"VERDICT: {what}: {'MISSED: ' + '; '.join(missed) if missed else 'holds'}", flush=True)
    return 1 if missed else 0


def measure(agents: list[Agent], library: str, nice: int, seconds: float) -> list[str]:
    """All of it; what was missed."""
    missed: list[str] = []
    try:
        started(agents, library, nice)
        version = grow(agents[:-1])
        missed += quiet(agents[:-1], seconds)
        missed += join(agents, version + 1)
        missed += death(agents)
    except Missed as exc:
        missed.append(str(exc))
    return missed


def started(agents: list[Agent], library: str, nice: int) -> None:
    """All run; the first alone, so that Python compiles the agent once and not in each."""
    began_s = time.monotonic()
    for begin in [0, *range(1, len(agents), AT_ONCE)]:
        batch = agents[begin : begin + AT_ONCE if begin else 1]
        for agent in batch:
            agent.start(library, nice)
        left_s = began_s + START_S - time.monotonic()
        await_all(batch, lambda agent: agent.is_ready, left_s, "ready")
    used_s = sum(agent.cpu_ns() for agent in agents) / 1e9
    print(
        f"{len(agents)} agents started in {time.monotonic() - began_s:.0f} s, of"
        f" {used_s / len(agents):.2f} s of a core each; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def grow(agents: list[Agent]) -> int:
    """The mesh grows by a few at a time, as by one `ssi up` after another; its last version.

    The newcomers and one other are told, as `ssi up` does; the others hear of it.
    """
    version = 0
    for begin, end in itertools.pairwise(steps(len(agents))):
        version += 1
        members = agents[:end]
        newcomers = agents[begin:end]
        newest = roster(version, members)
        used_s = sum(agent.cpu_ns() for agent in members) / 1e9
        for agent in [*newcomers, agents[0]]:
            agent.install(newest)
        took_s = await_all(newcomers, sees_all(members), GROW_S, "aware of all")
        used_s = sum(agent.cpu_ns() for agent in members) / 1e9 - used_s
        print(
            f"  {len(members)}: newcomers know all as alive after {took_s:.1f} s, which took"
            f" {used_s:.1f} s of a core; load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    took_s = await_all(agents, sees_all(agents), KNOWN_S, "aware of all")
    told = accusations(agents)
    print(
        f"all alive to all {took_s:.1f} s after the last had found them; until then"
        f" {told['dead']} believed dead and {told['suspect']} suspicions in all views together",
        flush=True,
    )
    return version


def steps(count: int) -> list[int]:
    """How many there are before the first step, and after each."""
    return [0, *range(min(FIRST, count), count, STEP), count]


def quiet(agents: list[Agent], seconds: float) -> list[str]:
    """Nothing happens for so long: false beliefs, who sees whom, processor, memory."""
    marks = [len(agent.log()) for agent in agents]
    before = [agent.cpu_ns() for agent in agents]
    began_s = time.monotonic()
    time.sleep(seconds)
    lasted_s = time.monotonic() - began_s
    shares = [
        (agent.cpu_ns() - ns) / 1e7 / lasted_s for agent, ns in zip(agents, before, strict=True)
    ]
    told = accusations(agents, marks)
    memory = [agent.memory_mb() for agent in agents]
    print(
        f"{seconds:g} s of quiet: {told['dead']} believed dead, {told['suspect']}"
        f" suspicions in all views together; load of the machine {os.getloadavg()[0]:.1f}"
    )
    for what, values in (
        ("% of a core each", shares),
        ("MB resident each", [resident for resident, _, _ in memory]),
        ("MB each, what is shared divided (PSS)", [pss for _, pss, _ in memory]),
        ("MB each with its keeper (PSS)", [whole for _, _, whole in memory]),
    ):
        print(
            f"  {what}: median {statistics.median(values):.2f}, max {max(values):.2f},"
            f" min {min(values):.2f}, sum {sum(values):.0f}",
            flush=True,
        )
    missed = [f"{told['dead']} false deaths in quiet"] if told["dead"] else []
    return missed + sights(agents)


def sights(agents: Sequence[Agent]) -> list[str]:
    """Who sees whom as alive, pair by pair; what is wrong with it."""
    names = {agent.name for agent in agents}
    states = {agent.name: agent.states() for agent in agents}
    wrong = [
        f"{observer} has {name} as {states[observer].get(name, 'never heard')}"
        for observer, name in itertools.permutations(sorted(names), 2)
        if states[observer].get(name) is not NodeState.ALIVE
    ]
    pairs = len(names) * (len(names) - 1)
    print(f"  {pairs - len(wrong)} of {pairs} pairs: the one sees the other alive", flush=True)
    for each in wrong[:10]:
        print(f"    {each}", flush=True)
    return [f"{len(wrong)} of {pairs} pairs not alive to each other"] if wrong else []


def join(agents: list[Agent], version: int) -> list[str]:
    """One more, of which one other is told."""
    *settled, newcomer = agents
    joined = roster(version, agents)
    newcomer.install(joined)
    settled[0].install(joined)
    join_s = await_all(
        settled, lambda agent: newcomer.name in alive(agent), KNOWN_S, f"aware of {newcomer.name}"
    )
    signed = sum("taken=True" in agent.log() for agent in settled[1:])
    print(
        f"a join, of which one was told: known to all after {join_s:.1f} s (looked at one by one),"
        f" by signed entries to {signed} of {len(settled) - 1}",
        flush=True,
    )
    return []


def death(agents: list[Agent]) -> list[str]:
    """One is killed, and nobody else is believed dead for it."""
    victim, others = agents[1], [agents[0], *agents[2:]]
    marks = [len(agent.log()) for agent in others]
    victim.crash()

    def knows(agent: Agent) -> bool:
        return agent.states().get(victim.name) is NodeState.DEAD

    death_s = await_all(others, knows, KNOWN_S, f"aware that {victim.name} is dead")
    false = accusations(others, marks, but=victim.name)["dead"]
    print(
        f"a death: known to all after {death_s:.1f} s (looked at one by one), {false} false deaths",
        flush=True,
    )
    return [f"{false} false deaths beside the true one"] if false else []


def accusations(agents: Sequence[Agent], marks: Sequence[int] = (), but: str = "") -> Counter[str]:
    """How often any of them came to suspect another, or to believe it dead, by their logs."""
    return Counter(
        state
        for agent, mark in itertools.zip_longest(agents, marks, fillvalue=0)
        if isinstance(agent, Agent)
        for name, state in CHANGE.findall(agent.log()[mark:])
        if name != but
    )


def roster(version: int, agents: list[Agent]) -> Roster:
    entries = tuple(agent.entry() for agent in agents)
    return Roster(system="bench", version=version, nodes=entries, next_number=len(agents) + 2)


def alive(agent: Agent) -> set[str]:
    return {name for name, state in agent.states().items() if state is NodeState.ALIVE}


def sees_all(members: Sequence[Agent]) -> Callable[[Agent], bool]:
    names = {member.name for member in members}
    return lambda agent: alive(agent) == names - {agent.name}


def await_all(
    agents: Sequence[Agent], holds: Callable[[Agent], bool], limit_s: float, what: str
) -> float:
    """Until it holds of each, asked one after another; after how long.

    Raises:
        Missed: It did not hold of all within so long.
    """
    began_s = time.monotonic()
    for agent in agents:
        while not holds(agent):
            if time.monotonic() - began_s > limit_s:
                counts = dict(Counter(map(str, agent.states().values())))
                raise Missed(f"{agent.name} was not {what} within {limit_s:.0f} s: {counts}")
            time.sleep(0.05)
    return time.monotonic() - began_s


def available_mb() -> float:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvail")) / 1000


if __name__ == "__main__":
    sys.exit(main())
