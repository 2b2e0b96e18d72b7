"""What an agent costs on a host with 300 processes while nobody asks it anything.

Goals: at most 40 MB of memory and 0.5 % of one core.
"""

from __future__ import annotations

import json
import sys
import time

from cluster import Cluster, cluster
from measure import Series, judge, show

PROCESSES = 300
WINDOWS = 7
WINDOW_S = 5.0
SETTLE_S = 5.0
MEMORY_BAR_MB = 40
CPU_BAR_PERCENT = 0.5
SPAWN = f"for i in $(seq {PROCESSES}); do setsid sleep 3600 </dev/null >/dev/null 2>&1 & done"


def main() -> int:
    with cluster(2) as made:
        made.output(made.ssh("n1", SPAWN))
        pid = int(json.loads(made.output(made.ssh("n1", "cat", "/run/ssi/ready")))["pid"])
        time.sleep(SETTLE_S)
        memory, cpu = Series(), Series()
        for _ in range(WINDOWS):
            cpu.values.append(cpu_percent(made, pid))
            memory.values.append(memory_mb(made, pid))
        seen = made.ssi("ps", "-n", "n1", "--no-headers").count("\n")
    print(f"{seen} processes on n1")
    show({"memory, MB": memory, f"CPU over {WINDOW_S:g} s, % of a core": cpu}, unit="")
    holds = [
        judge("memory", memory.median, MEMORY_BAR_MB, " MB"),
        judge("CPU", cpu.median, CPU_BAR_PERCENT, " %"),
    ]
    return 0 if all(holds) else 1


def cpu_percent(made: Cluster, pid: int) -> float:
    """The share of a core that the agent takes, from the nanoseconds of the scheduler."""
    started_ns, started_s = cpu_ns(made, pid), time.monotonic()
    time.sleep(WINDOW_S)
    ended_ns, ended_s = cpu_ns(made, pid), time.monotonic()
    return (ended_ns - started_ns) / 1e9 / (ended_s - started_s) * 100


def cpu_ns(made: Cluster, pid: int) -> int:
    text = made.output(made.ssh("n1", f"cat /proc/{pid}/task/*/schedstat"))
    return sum(int(line.split()[0]) for line in text.splitlines())


def memory_mb(made: Cluster, pid: int) -> float:
    """Resident memory in units of 1,000,000 bytes."""
    text = made.output(made.ssh("n1", "grep", "VmRSS", f"/proc/{pid}/status"))
    return int(text.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
