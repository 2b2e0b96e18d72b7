"""Short jobs per second on three nodes, against GNU parallel over ssh with ControlMaster.

Both start the same commands from one place, so many at a time as suits each best, and collect what
they print. Goal: at least 3 times as many.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from cluster import SSI, Cluster, cluster
from measure import interleave, judge, need, ratio, show, timed_run

from ssi.client.connection import Connection
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.model.job import JobSpec

HOSTS = 3
JOBS = 150
AT_ONCE = 24
"""Of ours. GNU parallel gets so many slots per host (``-j``) that more did not make it faster."""
WAIT_MS = 1000
"""For the end of a job, with the reply to its start: all of them are short."""

SLOTS = 8
BAR = 1 / 3


def main() -> int:
    need("ssh", "parallel")
    with cluster(HOSTS) as made:
        os.environ.update(made.environment)
        series = interleave(
            {
                "ssi, one client": lambda: _client_ms(made),
                "ssi run, xargs": lambda: _commands_ms(made),
                "GNU parallel": lambda: _parallel_ms(made),
            },
            rounds=7,
        )
    show(series)
    for name, taken in series.items():
        print(f"{name}: {JOBS / taken.median * 1000:.0f} jobs per second")
    ours, theirs = series["ssi, one client"], series["GNU parallel"]
    print(f"a command each to GNU parallel: {ratio(series['ssi run, xargs'], theirs):.3g}")
    return 0 if judge("time for as many jobs", ratio(ours, theirs), BAR) else 1


def _client_ms(made: Cluster) -> float:
    started = time.perf_counter()
    outputs = asyncio.run(_all_jobs(made.hosts))
    _check(b"".join(outputs))
    return (time.perf_counter() - started) * 1000


async def _all_jobs(hosts: list[str]) -> list[bytes]:
    slots = asyncio.Semaphore(AT_ONCE)
    async with await Connection.open() as connection:
        system = System(connection)

        async def one(number: int) -> bytes:
            async with slots:
                spec = JobSpec(argv=("echo", str(number)))
                job = await JobHandle.start(
                    system, hosts[number % len(hosts)], spec, wait_ms=WAIT_MS, no_input=True
                )
                output = b""
                while not (data := await job.read("stdout", len(output))).ended or data.data:
                    output += data.data
                await job.wait()
                await job.release()
                return output

        return await asyncio.gather(*map(one, range(JOBS)))


def _commands_ms(made: Cluster) -> float:
    line = f'{SSI} run -n n$(( $1 % {HOSTS} + 1 )) -- echo "$1"'
    words = ["xargs", "-P", str(AT_ONCE), "-I{}", "sh", "-c", line, "sh", "{}"]
    return _output_ms(words, made)


def _parallel_ms(made: Cluster) -> float:
    hosts = ",".join(f"{SLOTS}/{host}" for host in made.hosts)
    ssh = f"ssh -F {made.multiplexed}"
    words = ["parallel", "--will-cite", "--ssh", ssh, "-S", hosts, "echo", "{}"]
    return _output_ms(words, made)


def _output_ms(words: list[str], made: Cluster) -> float:
    numbers = "".join(f"{number}\n" for number in range(JOBS)).encode()
    elapsed_ms, output = timed_run(words, made.environment, numbers)
    _check(output)
    return elapsed_ms


def _check(output: bytes) -> None:
    assert sorted(map(int, output.split())) == list(range(JOBS)), "a job is missing"


if __name__ == "__main__":
    sys.exit(main())
