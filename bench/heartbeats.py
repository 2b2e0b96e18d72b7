"""Whether heartbeats wait for what else goes on: an image that moves, an agent that is busy.

Two hosts; each agent tells the round trip of its last probe of the other, which holds the delays of
both ends. Goal: at most 200 ms. The extremes hold what else this machine does, too: compare them
with those of the quiet row.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cluster import Cluster, cluster
from doors import Door

from ssi.protocol.system import ListNodes, ListProcesses, NodeList, ProcessList

BAR_MS = 200.0
SAMPLE_S = 0.2
ASKERS = 4
HOLD = (
    "import time; memory = bytearray({});"
    " memory[::4096] = b'x' * len(memory[::4096]); time.sleep(3600)"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each condition")
    parser.add_argument("--mib", type=int, default=512, help="size of the job that moves")
    options = parser.parse_args()
    with cluster(2) as made:
        time.sleep(3.0)
        conditions: dict[str, Callable[[], None]] = {
            "quiet": lambda: time.sleep(options.seconds),
            f"a job of {options.mib} MiB moves": lambda: moves(
                made, options.seconds, options.mib << 20
            ),
            "both cores busy": lambda: busy_cores(options.seconds),
            f"{ASKERS} ask each agent for its processes without a pause": lambda: busy_agents(
                made, options.seconds
            ),
        }
        holds = [show(what, during(made, act)) for what, act in conditions.items()]
    return 0 if all(holds) else 1


def door_of(made: Cluster, name: str) -> Path:
    return Path(made.lab.host(name).root, "run/ssi/door.sock")


def during(made: Cluster, act: Callable[[], None]) -> list[float]:
    """Every round trip that either agent measured meanwhile, in ms."""
    ended = threading.Event()
    found: dict[tuple[str, float], None] = {}

    def watch(name: str) -> None:
        door = Door(door_of(made, name))
        while not ended.wait(SAMPLE_S):
            for row in door.ask(ListNodes(), NodeList).rows:
                if row.name != name and row.rtt_ms is not None:
                    found[name, row.rtt_ms] = None  # one that was seen before is no other
        door.close()

    watchers = [threading.Thread(target=watch, args=(name,)) for name in made.hosts]
    for each in watchers:
        each.start()
    try:
        act()
    finally:
        ended.set()
        for each in watchers:
            each.join()
    return sorted(rtt_ms for _, rtt_ms in found)


def moves(made: Cluster, seconds: float, size: int) -> None:
    gpid = made.ssi(
        "run", "-n", "n1", "--root", "local", "--detach", "--", "python3", "-c", HOLD.format(size)
    ).strip()
    until_s, turn = time.monotonic() + seconds, 1
    while time.monotonic() < until_s:
        made.ssi("migrate", gpid, "--to", made.hosts[turn % 2])
        turn += 1
    print(f"  ({turn - 1} moves)")
    made.ssi("kill", "-s", "KILL", gpid)


def busy_cores(seconds: float) -> None:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        time.sleep(seconds)
    finally:
        for each in busy:
            each.kill()
            each.wait()


def busy_agents(made: Cluster, seconds: float) -> None:
    until_s = time.monotonic() + seconds

    def ask(name: str) -> None:
        door = Door(door_of(made, name))
        while time.monotonic() < until_s:
            door.ask(ListProcesses(), ProcessList)
        door.close()

    askers = [
        threading.Thread(target=ask, args=(name,)) for name in made.hosts for _ in range(ASKERS)
    ]
    for each in askers:
        each.start()
    for each in askers:
        each.join()


def show(what: str, rtts_ms: list[float]) -> bool:
    if not rtts_ms:
        print(f"{what}: nothing was measured")
        return False
    at = [rtts_ms[int(len(rtts_ms) * share)] for share in (0.5, 0.99)]
    print(
        f"{what}: {len(rtts_ms)} round trips, p50 {at[0]:.1f} ms, p99 {at[1]:.1f} ms,"
        f" longest {rtts_ms[-1]:.1f} ms (bar {BAR_MS:g})",
        flush=True,
    )
    return rtts_ms[-1] <= BAR_MS


if __name__ == "__main__":
    sys.exit(main())
