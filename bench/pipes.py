"""A large file through a pipe between two hosts, asked for from a third: ssi beside ssh.

``@n1 cat big | @n2 wc -c`` against ``ssh n1 cat big | ssh n2 wc -c``, both with connections that
stand. Goal: at least twice as fast, and less than 1 MiB through the machine that asks.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from cluster import Cluster, cluster
from measure import TIMEOUT_S, interleave, judge, need, ratio, show, timed_run

from ssi.client.connection import Connection
from ssi.client.pipes import Pipeline, StageSpec
from ssi.client.system import System
from ssi.model.job import JobSpec

ROUNDS = 7
MIB = 512
FILE = "/srv/big"
BAR = 0.5
MOST_THROUGH_CLIENT_MIB = 1.0


def main() -> int:
    need("ssh")
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--mib", type=int, default=MIB, help="size of the file")
    wanted = parser.parse_args()
    size = wanted.mib << 20
    with cluster(2) as made:
        os.environ.update(made.environment)
        made.output(made.ssh("n1", f"head -c {size} /dev/urandom > {FILE}; cat {FILE} >/dev/null"))
        series = interleave(
            {
                "ssi": lambda: _ssi_ms(size),
                "ssi, a stage more": lambda: _ssi_ms(size, ("n2", "cat")),
                "ssh": lambda: _ssh_ms(made, size),
            },
            wanted.rounds,
        )
        before = _client_bytes(made)
        _ssi_ms(size)
        through_mib = (_client_bytes(made) - before) / (1 << 20)
        starts = interleave(
            {
                "two stages": lambda: _start_ms(2),
                "three": lambda: _start_ms(3),
                "six": lambda: _start_ms(6),
            },
            max(wanted.rounds, 15),
        )
    show(series)
    for name, taken in series.items():
        print(f"{name}: {wanted.mib / taken.median * 1000:.0f} MiB/s")
    print("\nstarted and joined, stages of `cat` on two hosts")
    show(starts)
    print(f"a stage more: {(starts['six'].median - starts['two stages'].median) / 4:.1f} ms")
    holds = judge("time to that of ssh", ratio(series["ssi"], series["ssh"]), BAR)
    return (
        0
        if judge("through the client", through_mib, MOST_THROUGH_CLIENT_MIB, " MiB") and holds
        else 1
    )


def _ssi_ms(size: int, *between: tuple[str, str]) -> float:
    stages = [("n1", ("cat", FILE)), *((node, (name,)) for node, name in between)]

    async def deed(system: System) -> float:
        started = time.perf_counter()
        pipeline = await _started(system, *stages, ("n2", ("wc", "-c")))
        counted = await pipeline.stages[-1].read("stdout", 0)
        while not (counted.data or counted.ended):  # it waits for 10 s at a time
            counted = await pipeline.stages[-1].read("stdout", 0)
        elapsed_ms = (time.perf_counter() - started) * 1000
        ends = await pipeline.wait()
        await pipeline.release()
        assert int(counted.data) == size, counted
        assert not any(end.status for end in ends), ends
        return elapsed_ms

    return asyncio.run(_with_system(deed))


def _start_ms(count: int) -> float:
    async def deed(system: System) -> float:
        stages = [(f"n{number % 2 + 1}", ("cat",)) for number in range(count)]
        started = time.perf_counter()
        pipeline = await _started(system, *stages)
        elapsed_ms = (time.perf_counter() - started) * 1000
        await pipeline.stages[0].write(0, b"", end=True)
        await pipeline.wait()
        await pipeline.release()
        return elapsed_ms

    return asyncio.run(_with_system(deed))


async def _with_system(deed: Callable[[System], Awaitable[float]]) -> float:
    async with asyncio.timeout(TIMEOUT_S), await Connection.open() as connection:
        return await deed(System(connection))


async def _started(system: System, *stages: tuple[str, tuple[str, ...]]) -> Pipeline:
    specs = [StageSpec(node=node, spec=JobSpec(argv=argv)) for node, argv in stages]
    return await Pipeline.start(system, specs)


def _ssh_ms(made: Cluster, size: int) -> float:
    ssh = f"ssh -F {made.multiplexed}"
    elapsed_ms, output = timed_run(["sh", "-c", f"{ssh} n1 cat {FILE} | {ssh} n2 wc -c"])
    assert int(output) == size, output
    return elapsed_ms


def _client_bytes(made: Cluster) -> int:
    """What this machine has sent to the hosts and heard of them: all goes over their bridge."""
    counters = Path("/sys/class/net", made.lab.blueprint.bridge, "statistics")
    return sum(int((counters / name).read_text()) for name in ("rx_bytes", "tx_bytes"))


if __name__ == "__main__":
    sys.exit(main())
