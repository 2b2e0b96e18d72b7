"""How soon eight hosts know of a death, and whether they believe in deaths that are none.

Every agent writes each change of its beliefs to its log; the hosts share one clock, so the logs
tell when each view knew. Goals: 50 kills known everywhere, p50 5 s and p99 10 s; nobody believed
dead in 10 minutes in which two of eight are stopped at random for 0.5 to 3 s and both cores are
busy; one that was stopped for 30 s is declared dead and refutes within 5 s of waking.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from cluster import Cluster, cluster

LIMIT_S = 15.0
CHANGE = re.compile(r"^(\S+ \S+) .*event=member node=(\S+) before=\S+ after=(\S+) ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--hosts", type=int, default=8)
    options = parser.parse_args()
    with cluster(options.hosts) as made:
        time.sleep(5.0)
        cost(made)
        holds = [kills(made, options.kills), long_stop(made), pauses(made, options.minutes)]
    return 0 if all(holds) else 1


def changes(made: Cluster, observer: str, since: float) -> list[tuple[float, str, str]]:
    """When a node came to believe what of whom."""
    log = Path(made.lab.host(observer).root, "var/lib/ssi/agent.log")
    found = []
    for line in log.read_text(errors="replace").splitlines():
        if match := CHANGE.match(line):
            at, name, state = match.groups()
            when = datetime.strptime(at, "%Y-%m-%d %H:%M:%S,%f").timestamp()  # noqa: DTZ007
            if when >= since:
                found.append((when, name, state))
    return found


def known_s(made: Cluster, name: str, state: str, since: float) -> float:
    """After how long the last of the others believed that; infinity if one never did."""
    give_up_at = time.time() + LIMIT_S
    others = [host for host in made.hosts if host != name]
    while True:
        times = [
            min((at for at, who, what in changes(made, o, since) if (who, what) == (name, state)),
                default=float("inf"))
            for o in others
        ]  # fmt: skip
        if max(times) < float("inf") or time.time() > give_up_at:
            return max(times) - since
        time.sleep(0.2)


def agent_pid(made: Cluster, name: str) -> int:
    """Its pid on the host."""
    root = made.lab.host(name).root
    return int(Path(root, "run/ssi/agent.pid").read_text(encoding="ascii").split()[0])


def keeper_pid(made: Cluster, name: str) -> int:
    root = made.lab.host(name).root
    return int(Path(root, "run/ssi/keeper.pid").read_text(encoding="ascii").split()[0])


def signal(made: Cluster, name: str, number: str, *pids: int) -> None:
    made.lab.host(name).enter("kill", f"-{number}", *map(str, pids))


def kills(made: Cluster, count: int) -> bool:
    took_s = []
    for turn in range(count):
        name = made.hosts[turn % len(made.hosts)]
        # The keeper stands still meanwhile, so that it does not start another agent.
        keeper = keeper_pid(made, name)
        signal(made, name, "STOP", keeper)
        began = time.time()
        signal(made, name, "KILL", agent_pid(made, name))
        took_s.append(known_s(made, name, "dead", began))
        signal(made, name, "CONT", keeper)
        known_s(made, name, "alive", time.time() - 0.5)
        time.sleep(random.uniform(1.0, 2.0))
    cuts = statistics.quantiles(took_s, n=100, method="inclusive")
    print(
        f"{count} kills: known to all after p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s,"
        f" {min(took_s):.2f} to {max(took_s):.2f} s"
    )
    return cuts[49] <= 5.0 and cuts[98] <= 10.0


def long_stop(made: Cluster) -> bool:
    name = made.hosts[1]
    began = time.time()
    signal(made, name, "STOP", agent_pid(made, name))
    dead_s = known_s(made, name, "dead", began)
    time.sleep(max(30.0 - (time.time() - began), 0.0))
    woke = time.time()
    signal(made, name, "CONT", agent_pid(made, name))
    back_s = known_s(made, name, "alive", woke)
    print(f"stopped for 30 s: dead to all after {dead_s:.2f} s; alive to all {back_s:.2f} s after")
    return back_s <= 5.0


def pauses(made: Cluster, minutes: float) -> bool:
    began = time.time()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    stops = 0
    try:
        while time.time() < began + minutes * 60:
            stopped = random.sample(made.hosts, 2)
            for name in stopped:
                signal(made, name, "STOP", agent_pid(made, name))
            ends = sorted((random.uniform(0.5, 3.0), name) for name in stopped)
            since = time.monotonic()
            for lasts_s, name in ends:
                time.sleep(max(since + lasts_s - time.monotonic(), 0.0))
                signal(made, name, "CONT", agent_pid(made, name))
                stops += 1
            time.sleep(random.uniform(0.5, 2.0))
    finally:
        for each in busy:
            each.kill()
            each.wait()
    told = [c for o in made.hosts for c in changes(made, o, began)]
    false = sum(state == "dead" for _, _, state in told)
    suspected = sum(state == "suspect" for _, _, state in told)
    print(f"{minutes:g} minutes, {stops} stops: {false} false deaths, {suspected} suspicions")
    return false == 0


def cost(made: Cluster) -> None:
    """What the heartbeats cost an agent that nobody asks anything."""
    name = made.hosts[0]
    pid = agent_pid(made, name)
    host = made.lab.host(name)

    def cpu_ns() -> dict[str, int]:
        text = host.enter("sh", "-c", f"cd /proc/{pid}/task; grep . */schedstat").stdout.decode()
        return {
            line.split("/")[0]: int(line.split(":")[1].split()[0]) for line in text.splitlines()
        }

    before = cpu_ns()
    time.sleep(20.0)
    shares = {task: (ns - before.get(task, 0)) / 20e9 * 100 for task, ns in cpu_ns().items()}
    total = sum(shares.values())
    print(f"{len(made.hosts)} hosts: an idle agent takes {total:.2f} % of a core")


if __name__ == "__main__":
    sys.exit(main())
