"""A process of 64 MiB moves between two hosts: `ssi migrate` against a script of criu and tar.

The script is what one would write by hand: dump, tar through open ssh connections, restore. The
process itself tells how long it did not run. Goal: both times at most 0.7 of the script's.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from cluster import SSI, Cluster, cluster
from measure import Series, command_ms, judge, need, ratio, show

ROUNDS = 8
BAR = 0.7
SETTLE_S = 0.3
IMAGES = "/run/bench"
PROGRAM = """
import os, sys, time
block = bytearray(os.urandom(64 << 20))
last = time.time()
while True:
    time.sleep(0.001)
    now = time.time()
    if now - last > 0.005:
        with open(sys.argv[1], "a") as log:
            log.write(f"{(now - last) * 1000}\\n")
    last = now
"""


def main() -> int:
    need("ssh")
    with cluster(2) as made:
        for host in made.hosts:
            write = made.ssh(host, "cat > /root/grower.py")
            subprocess.run(write, input=PROGRAM.encode(), check=True, timeout=30)
        movers: dict[str, Callable[[str, str], float]] = {
            "ssi": by_ssi(made),
            "script": by_script(made),
        }
        total = {name: Series() for name in movers}
        freeze = {name: Series() for name in movers}
        for number in range(ROUNDS + 1):
            source, target = ("n1", "n2") if number % 2 == 0 else ("n2", "n1")
            for name, move in movers.items():
                time.sleep(SETTLE_S)
                made.output(made.ssh(target, f"rm -f /root/gaps.{name}"))
                total_ms = move(source, target)
                time.sleep(SETTLE_S)
                gaps = made.output(made.ssh(target, f"cat /root/gaps.{name}")).split()
                if number:  # the first one finds nothing cached
                    total[name].values.append(total_ms)
                    freeze[name].values.append(max(map(float, gaps)))
    show({f"{name}, {what}": taken[name] for what, taken in
          (("total", total), ("freeze", freeze)) for name in movers})  # fmt: skip
    holds = [
        judge("total", ratio(total["ssi"], total["script"]), BAR),
        judge("freeze", ratio(freeze["ssi"], freeze["script"]), BAR),
    ]
    return 0 if all(holds) else 1


def by_ssi(made: Cluster) -> Callable[[str, str], float]:
    """A job that moves by one command."""
    gpid = made.ssi(
        "run", "-n", "n1", "--detach", "--cwd", "/root", "--",
        "python3", "/root/grower.py", "/root/gaps.ssi",
    ).strip()  # fmt: skip
    time.sleep(1)

    def move(source: str, target: str) -> float:
        return command_ms([SSI, "migrate", gpid, target], made.environment)

    return move


def by_script(made: Cluster) -> Callable[[str, str], float]:
    """A process that moves by dump, tar and restore."""
    start = (
        "echo 30000 > /proc/sys/kernel/ns_last_pid; "  # where n2 has none
        "setsid python3 /root/grower.py /root/gaps.script </dev/null >/dev/null 2>&1 & echo $!"
    )
    pid = made.output(made.ssh("n1", start)).strip()
    time.sleep(1)
    flags = f"-D {IMAGES} --manage-cgroups=ignore"

    def move(source: str, target: str) -> float:
        fresh = f"rm -rf {IMAGES}; mkdir -p {IMAGES}"
        send = " ".join(made.ssh(source, f"'tar -C {IMAGES} -cf - .'"))
        take = " ".join(made.ssh(target, f"'{fresh}; tar -C {IMAGES} -xf -'"))
        dump = " ".join(made.ssh(source, f"'{fresh}; criu dump -t {pid} {flags}'"))
        restore = " ".join(made.ssh(target, f"'criu restore -d {flags}'"))
        script = f"set -e -o pipefail; {dump}; {send} | {take}; {restore}"
        return command_ms(["bash", "-c", script])

    return move


if __name__ == "__main__":
    sys.exit(main())
