"""A thousand short jobs in a row and two hundred at once: none lost, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import pytest

from ssi.client.connection import Connection
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.lab import Host
from ssi.model.job import JobSpec
from tests.hosts.system import Ssi, eventually, pid_of

IN_A_ROW = 1000
AT_ONCE = 200
WARM_UP = 60
NODES = ("n1", "n2", "n3")

THREADS = 17
"""Of an agent, however much it has to do and however many cores there are: two contexts of ZeroMQ
with three threads each, the loop, the heart, a pool of six for what blocks, and three by which
pyzmq lets go of large messages, from the first on that goes uncopied (``zmq/utils/garbage.py``)."""

GROWTH_KIB = 6 * 1024
"""Of memory, over more than a thousand jobs: answers and rows that are remembered for a while."""

WAIT_MS = 1000
OTHERWISE = 4
"""Each such one is only started."""

SHELL = ("sh", "-c", "echo $((number * number)); exit $((number % 7))")


@dataclass(frozen=True, slots=True)
class Held:
    """What one process of ssi holds on its host, its memory aside."""

    descriptors: int
    children: int
    mounts: int
    cgroups: int

    def is_within(self, other: Held) -> bool:
        """Whether this is no more than that was, in any way."""
        return all(getattr(self, name) <= getattr(other, name) for name in self.__slots__)


def held_by(host: Host, name: str) -> Held:
    pid = pid_of(host, name)
    counted = f"""
        ls /proc/{pid}/fd | wc -l
        cat /proc/{pid}/task/*/children | wc -w; wc -l < /proc/{pid}/mountinfo
        find /sys/fs/cgroup -type d | wc -l
    """
    return Held(*map(int, host.run("sh", "-c", counted).stdout.split()))


def has_reserve(host: Host) -> bool:
    """Whether the keeper there has the one shim in reserve that it shall have, and no other."""
    children = f"pgrep -x -c -P {pid_of(host, 'keeper')} ssi-spare; true"
    return int(host.run("sh", "-c", children).stdout) == 1


def threads(host: Host, name: str) -> int:
    return int(host.run("sh", "-c", f"ls /proc/{pid_of(host, name)}/task | wc -l").stdout)


def kept_at(host: Host) -> set[int]:
    """The jobs of which something is kept there."""
    folders = "ls /run/ssi/jobs /var/lib/ssi/jobs 2>/dev/null"
    words = host.run("sh", "-c", folders).stdout.split()
    return {int(word) for word in words if word.isdigit()}


def memory_kib(host: Host, name: str) -> int:
    status = host.run("cat", f"/proc/{pid_of(host, name)}/status").stdout.decode()
    return int(status.partition("VmRSS:")[2].split()[0])


async def short_job(system: System, number: int) -> None:
    """One job, from its start to the last of its output and its end.

    For the end of most it waits with their start, as ``ssi run`` does: they have one shim after
    the other (docs/adr/0031-a-shim-is-used-again.md).
    """
    spec = JobSpec(argv=SHELL, environment={"number": str(number)})
    wait_ms = WAIT_MS if number % OTHERWISE else 0
    node = NODES[number % len(NODES)]
    job = await JobHandle.start(system, node, spec, wait_ms=wait_ms, no_input=wait_ms > 0)
    output = b""
    while not (data := await job.read("stdout", len(output))).ended or data.data:
        output += data.data
    row = await job.wait()
    assert (output, row.exit_status) == (b"%d\n" % number**2, number % 7), (number, row)
    await job.release()


async def in_a_row(system: System, numbers: range) -> None:
    """One after the other on each node, the nodes side by side."""

    async def on_one_node(first: int) -> None:
        for number in numbers[first :: len(NODES)]:
            await short_job(system, number)

    async with asyncio.TaskGroup() as group:
        for first in range(len(NODES)):
            group.create_task(on_one_node(first))


async def at_once(system: System, numbers: range) -> None:
    async with asyncio.TaskGroup() as group:
        for number in numbers:
            group.create_task(short_job(system, number))


def do(many: Callable[[System, range], Awaitable[None]], numbers: range) -> None:
    async def connected() -> None:
        async with await Connection.open() as connection:
            await many(System(connection), numbers)

    asyncio.run(connected())


def test_a_thousand_short_jobs_and_two_hundred_at_once_leave_nothing_behind(
    ssi: Ssi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in ssi.environment.items():
        monkeypatch.setenv(key, value)
    older = {row["gpid"] for row in ssi.json("jobs")}
    hosts = [ssi.host(node) for node in NODES]
    places = [(host, name) for host in hosts for name in ("agent", "keeper")]
    do(at_once, range(WARM_UP))  # caches fill, threads start
    do(in_a_row, range(WARM_UP))
    for host in hosts:
        eventually(partial(has_reserve, host), what="a shim is in reserve again")
    before = [held_by(*place) for place in places]
    memory_before_kib = [memory_kib(*place) for place in places]

    do(in_a_row, range(IN_A_ROW))
    do(at_once, range(AT_ONCE))

    eventually(
        lambda: all(
            held_by(*place).is_within(then) for place, then in zip(places, before, strict=True)
        ),
        every_s=1,
        what=f"no more is held than was: {before}",
    )
    for host in hosts:
        eventually(partial(has_reserve, host), what="one shim is in reserve, and no other")
    assert max(threads(*place) for place in places) <= THREADS
    grown_kib = [
        memory_kib(*place) - kib for place, kib in zip(places, memory_before_kib, strict=True)
    ]
    assert max(grown_kib) < GROWTH_KIB, grown_kib
    eventually(
        lambda: {row["gpid"] for row in ssi.json("jobs")} <= older,
        what="no job is remembered that was let go of",
    )
    eventually(
        lambda: all(kept_at(host) <= older for host in hosts),
        every_s=1,
        what="nothing is kept of a job that was let go of",
    )
