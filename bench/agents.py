"""Many real agents on one machine: whether their view is stable, and what each costs.

They run on one host of a lab, on its loopback, each with keeper, files, keys, ports and process
table of its own, for as many machines do not see each other's processes; without file servers,
which have no part in the mesh. Of newcomers a single other agent is told: the
others learn of them from signed entries on the heartbeats. At last one is killed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cluster import Cluster, cluster
from doors import Door
from ending import ending

from ssi.model.errors import SsiError
from ssi.model.node import NodeState, Roster, RosterEntry
from ssi.protocol.message import Done
from ssi.protocol.system import InstallRoster, ListNodes, NodeList

AT_ONCE = 8
"""Agents that start at the same time."""

CHANGE = re.compile(r"event=member node=(\S+) before=\S+ after=(suspect|dead) ")
STEP = 67
"""Agents by which the mesh grows at a time. More than are probed whole in each period: on one
machine fifty of them would cost more so than two hundred do beyond."""

WIDTH = 4

POSING = """
pidfile=$1
shift
read -r stat < /proc/1/stat
set -- $stat -- "$@"
printf '1 %s\\n' "${22}" > "$pidfile"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""
"""Who finds a file server running starts none: the first process of each table poses as one."""


@dataclass
class Agent:
    """One agent, as this machine and as the host see it."""

    name: str
    made: Cluster
    number: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> str:
        return f"/tmp/agents/{self.name}"

    @property
    def seen(self) -> Path:
        return Path(f"{self.made.lab.host('n1').root}{self.folder}")

    def start(self, library: str, nice: int) -> None:
        (self.seen / "run").mkdir(parents=True)
        environment = [
            f"SSI_RUNTIME_DIR={self.folder}/run",
            f"SSI_STATE_DIR={self.folder}/state",
            f"PYTHONPATH={library}",
        ]
        command = ["python3", "-m", "nodeagent", "--name", self.name, "--address", "127.0.0.1"]
        own = [
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            POSING,
            "sh",
        ]
        posing = [*own, f"{self.folder}/run/files.pid", "env", *environment, *command]
        self.process = spawn(self.made, nice, *posing)

    def entry(self) -> RosterEntry:
        ready = json.loads((self.seen / "run/ready").read_bytes())
        return RosterEntry(
            name=self.name,
            number=self.number,
            public_key=ready["public_key"],
            address="127.0.0.1",
            control_port=ready["control_port"],
            bulk_port=ready["bulk_port"],
            pulse_port=ready["pulse_port"],
            version=ready["version"],
            signing_key=bytes.fromhex(ready["signing_key"]),
        )

    @property
    def is_ready(self) -> bool:
        return (self.seen / "run/ready").exists()

    @property
    def pid(self) -> int:
        """In its own process table."""
        return int((self.seen / "run/agent.pid").read_text().split()[0])

    @property
    def first(self) -> int:
        """The first process of its table, as this machine sees it: below nsenter and unshare."""
        assert self.process is not None
        return child_of(child_of(self.process.pid))

    @property
    def proc(self) -> Path:
        """What its table says of its agent."""
        return Path(f"/proc/{self.first}/root/proc/{self.pid}")

    def crash(self) -> None:
        """It ends at once, and its keeper starts no other."""
        os.kill(self.first, signal.SIGSTOP)  # the keeper; its own table cannot stop its first one
        within = ["nsenter", "--target", str(self.first), "--mount", "--pid", "--wd", "--root"]
        subprocess.run([*within, "sh", "-c", f"kill -KILL {self.pid}"], check=True)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def install(self, roster: Roster) -> None:
        door = Door(self.seen / "run/door.sock")
        door.ask(InstallRoster(roster=roster), Done)
        door.close()

    def states(self) -> dict[str, NodeState]:
        """Of the others, as it sees them; one that it has never heard is not among them."""
        try:
            door = Door(self.seen / "run/door.sock")
            rows = door.ask(ListNodes(), NodeList).rows
            door.close()
        except (OSError, SsiError):
            return {}
        return {row.name: row.state for row in rows if row.name != self.name and row.incarnation}

    def log(self) -> str:
        return (self.seen / "state/agent.log").read_text(errors="replace")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0, help="of quiet that are watched")
    parser.add_argument(
        "--nice", type=int, default=10, help="priority of the agents: 19 the lowest"
    )
    options = parser.parse_args()
    with cluster(1) as made:
        agents = [Agent(f"m{i:0{WIDTH}}", made, i) for i in range(1, options.agents + 2)]
        host = made.lab.host("n1")
        bundles = Path(f"{host.root}/var/lib/ssi/bundles")
        library = next(
            f"/{each.relative_to(host.root)}" for each in bundles.glob("*/lib/nodeagent")
        )
        try:
            started(agents, str(Path(library).parent), options.nice)
            return watch(agents, options.seconds)
        finally:
            with ending.cleaning():
                for agent in agents:
                    agent.end()


def started(agents: list[Agent], library: str, nice: int) -> None:
    """All run; the first alone, so that Python compiles the agent once and not in each."""
    began_s = time.monotonic()
    for begin in [0, *range(1, len(agents), AT_ONCE)]:
        batch = agents[begin : begin + AT_ONCE if begin else 1]
        for agent in batch:
            agent.start(library, nice)
        await_all(batch, lambda agent: agent.is_ready, 120.0)
    used_s = sum(cpu_ns(agent) for agent in agents) / 1e9
    print(
        f"{len(agents)} agents started in {time.monotonic() - began_s:.0f} s, of"
        f" {used_s / len(agents):.2f} s of a core each; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def watch(agents: list[Agent], seconds: float) -> int:
    *settled, newcomer = agents
    version = grow(settled)
    names = {agent.name for agent in settled}
    took_s = await_all(settled, lambda agent: alive(agent) == names - {agent.name}, 120.0)
    print(f"all alive to all {took_s:.1f} s after the last had found them", flush=True)
    stable = quiet(settled, seconds)
    joined = roster(version + 1, agents)
    newcomer.install(joined)
    settled[0].install(joined)
    join_s = await_all(settled, lambda agent: newcomer.name in alive(agent), 120.0)
    signed = sum("taken=True" in agent.log() for agent in settled[1:])
    print(
        f"a join, of which one was told: known to all after {join_s:.1f} s (looked at one by one),"
        f" by signed entries to {signed} of {len(settled) - 1}",
        flush=True,
    )
    victim, others = settled[1], [settled[0], *settled[2:]]
    victim.crash()
    death_s = await_all(
        others, lambda agent: agent.states().get(victim.name) is NodeState.DEAD, 120.0
    )
    print(f"a death: known to all after {death_s:.1f} s (looked at one by one)", flush=True)
    return 0 if stable and join_s < 120.0 and death_s < 120.0 else 1


def grow(agents: list[Agent]) -> int:
    """The mesh grows by a few at a time, as by one `ssi up` after another; its last version.

    The newcomers and one other are told, as `ssi up` does; the others hear of it.
    """
    version = 0
    for end in range(STEP, len(agents) + STEP, STEP):
        version += 1
        members = agents[:end]
        newcomers = members[end - STEP :]
        newest = roster(version, members)
        used_s = sum(cpu_ns(agent) for agent in members) / 1e9
        for agent in [*newcomers, agents[0]]:
            agent.install(newest)
        names = {agent.name for agent in members}
        took_s = await_all(
            newcomers, lambda agent, names=names: alive(agent) == names - {agent.name}, 60.0
        )
        used_s = sum(cpu_ns(agent) for agent in members) / 1e9 - used_s
        print(
            f"  {len(members)}: newcomers know all as alive after {took_s:.1f} s, which took"
            f" {used_s:.1f} s of a core; load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    return version


def quiet(agents: list[Agent], seconds: float) -> bool:
    """Nothing happens for so long: false beliefs, processor, memory."""
    marks = [len(agent.log()) for agent in agents]
    before = [cpu_ns(agent) for agent in agents]
    began_s = time.monotonic()
    time.sleep(seconds)
    lasted_s = time.monotonic() - began_s
    shares = [
        (cpu_ns(agent) - ns) / 1e7 / lasted_s for agent, ns in zip(agents, before, strict=True)
    ]
    told = [
        state
        for agent, mark in zip(agents, marks, strict=True)
        for _, state in CHANGE.findall(agent.log()[mark:])
    ]
    memory = [memory_mb(agent) for agent in agents]
    print(
        f"{seconds:g} s of quiet: {told.count('dead')} believed dead, {told.count('suspect')}"
        f" suspicions in all views together; load of the machine {os.getloadavg()[0]:.1f}"
    )
    for what, values in (
        ("% of a core each", shares),
        ("MB resident each", [rss for rss, _ in memory]),
        ("MB each, what is shared divided (PSS)", [pss for _, pss in memory]),
    ):
        print(
            f"  {what}: median {statistics.median(values):.2f}, {min(values):.2f} to"
            f" {max(values):.2f}, sum {sum(values):.0f}",
            flush=True,
        )
    return "dead" not in told


def roster(version: int, agents: list[Agent]) -> Roster:
    entries = tuple(agent.entry() for agent in agents)
    return Roster(system="bench", version=version, nodes=entries, next_number=len(agents) + 2)


def alive(agent: Agent) -> set[str]:
    return {name for name, state in agent.states().items() if state is NodeState.ALIVE}


def await_all(agents: list[Agent], holds: object, limit_s: float) -> float:
    """Until it holds of each, asked one after another; after how long, at most ``limit_s``."""
    assert callable(holds)
    began_s = time.monotonic()
    for agent in agents:
        while not holds(agent):
            if time.monotonic() - began_s > limit_s:
                print(f"not of {agent.name} within {limit_s:g} s: {agent.states()}", flush=True)
                return limit_s
            time.sleep(0.05)
    return time.monotonic() - began_s


def spawn(made: Cluster, nice: int, *argv: str) -> subprocess.Popen[bytes]:
    """A process on the host, without a shell or a login in between."""
    spaces = ["--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd"]
    # Below most else that this machine does: two hundred agents on two cores are many. At 19 each
    # gets a seventieth of what any other process does, and hears too late where others work.
    command = [
        "nsenter",
        "--target",
        str(made.lab.host("n1").pid),
        *spaces,
        "--",
        "nice",
        "-n",
        str(nice),
        *argv,
    ]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def child_of(pid: int) -> int:
    """Its only one."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def cpu_ns(agent: Agent) -> int:
    tasks = (agent.proc / "task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks)


def memory_mb(agent: Agent) -> tuple[float, float]:
    text = (agent.proc / "smaps_rollup").read_text()
    found = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
    return found["Rss:"] * 1024 / 1e6, found["Pss:"] * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
