"""Brief jobs that run in the shims of others before them: whole, apart, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ssi.client.connection import Connection
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.lab import Host
from ssi.model.job import JobSpec
from ssi.protocol.system import ListProcesses, ProcessList
from tests.hosts.system import COMMAND_TIMEOUT_S, PATIENCE_S, Ssi, eventually, pid_of
from tests.hosts.test_many_jobs import has_reserve, held_by, kept_at

WAIT_MS = 1000
AT_ONCE = 12
TRIES = 200

WHICH = "echo $(readlink /proc/self/ns/pid)-$(cut -d ' ' -f 22 /proc/1/stat)"
"""Its shim: the kernel gives numbers of namespaces again, but not at the same time."""

GOES_ON = (
    f"{WHICH}; i=0;"
    "while [ ! -e /tmp/go-again ]; do i=$((i+1)); sleep 0.01; done;"
    "read line; echo $line; echo $(( i > 0 )); exit 5"
)


@pytest.fixture(autouse=True)
def known(ssi: Ssi, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in ssi.environment.items():
        monkeypatch.setenv(key, value)
    ssi.json("jobs")  # the agent of this machine runs


def do(story: Callable[[System], Awaitable[Any]]) -> Any:
    async def connected() -> Any:
        async with await Connection.open() as connection:
            async with asyncio.timeout(4 * PATIENCE_S):
                return await story(System(connection))

    return asyncio.run(connected())


async def brief(system: System, node: str, *argv: str) -> str:
    """What a job wrote whose end comes with the reply to its start, as a rule."""
    spec = JobSpec(argv=argv)
    job = await JobHandle.start(system, node, spec, wait_ms=WAIT_MS, no_input=True)
    output = await rest_of(job)
    assert (await job.wait()).exit_status == 0
    await job.release()
    return output.decode()


async def rest_of(job: JobHandle, output: bytes = b"") -> bytes:
    while not (data := await job.read("stdout", len(output))).ended or data.data:
        output += data.data
    return output


async def many(system: System, node: str) -> list[str]:
    jobs = (brief(system, node, "sh", "-c", WHICH) for _ in range(AT_ONCE))
    return list(await asyncio.gather(*jobs))


def waiting(host: Host) -> int:
    """How many shims wait there: the keeper's one in reserve, and those that are ready."""
    return int(host.run("sh", "-c", "pgrep -x -c ssi-spare; true").stdout)


def test_brief_jobs_have_one_shim_after_the_other_and_ps_shows_none_that_waits(ssi: Ssi) -> None:
    async def story(system: System) -> None:
        before = ""
        for _ in range(TRIES):
            now = await brief(system, "n1", "sh", "-c", WHICH)
            request = ListProcesses()
            listed = await system.ask(request, ProcessList, node="n1", timeout_s=PATIENCE_S)
            assert "ssi-agent" in {row.name for row in listed.rows}
            assert "ssi-spare" not in {row.name for row in listed.rows}
            if now == before:
                return
            before = now
        pytest.fail("no two jobs had the same shim")

    do(story)
    eventually(lambda: has_reserve(ssi.host("n1")), what="they end, but for the one in reserve")


def test_a_job_in_a_used_shim_moves_there_and_back(ssi: Ssi) -> None:
    for host in ssi.lab.hosts:
        host.run("rm", "-f", "/tmp/go-again")

    async def in_a_used_one(system: System) -> tuple[JobHandle, bytes]:
        for _ in range(TRIES):
            before = await brief(system, "n1", "sh", "-c", WHICH)
            job = await JobHandle.start(system, "n1", JobSpec(argv=("sh", "-c", GOES_ON)))
            output = b""
            while not output.endswith(b"\n"):
                output += (await job.read("stdout", len(output))).data
            if output.decode() == before:
                return job, output
            await asyncio.to_thread(ssi.ok, "kill", str(job.row.gpid))
            await job.wait()
            await job.release()
        raise AssertionError("none was in a used shim")

    async def story(system: System) -> None:
        job, output = await in_a_used_one(system)
        gpid = str(job.row.gpid)
        for destination in ("n2", "n3", "n1", "n2"):
            await asyncio.to_thread(ssi.ok, "migrate", gpid, destination)
        await asyncio.to_thread(ssi.host("n2").run, "touch", "/tmp/go-again")
        await job.write(0, b"all of it\n", end=True)
        assert await rest_of(job, output) == output + b"all of it\n1\n"
        row = await job.wait()
        assert (row.exit_status, row.nodes) == (5, ("n1", "n2", "n3", "n1", "n2"))
        await job.release()

    do(story)


@pytest.mark.parametrize("name", ["agent", "keeper"])
def test_the_death_of_agent_or_keeper_leaves_no_shim_that_waits(ssi: Ssi, name: str) -> None:
    host = ssi.host("n3")
    do(lambda system: many(system, "n3"))
    eventually(lambda: has_reserve(host), what="there is one in reserve")
    before = held_by(host, "agent")

    async def story(system: System) -> None:
        for _ in range(3):
            await many(system, "n3")
        host.enter("kill", "-KILL", str(pid_of(host, name)))

    older = kept_at(host)
    do(story)
    eventually(lambda: ssi("run", "-n", "n3", "--", "true").status == 0, what="the node serves")
    eventually(lambda: waiting(host) <= 1, what="no shim waits but one in reserve")
    eventually(lambda: kept_at(host) <= older, what="nothing is kept of a job", every_s=0.5)
    eventually(
        lambda: held_by(host, "agent").cgroups <= before.cgroups,
        what="no cgroup is left",
        every_s=1,
    )
    assert do(lambda system: brief(system, "n3", "echo", "works")) == "works\n"


def test_brief_jobs_are_none_of_anothers_business(ssi: Ssi) -> None:
    """Those of two users at once, in shims that wait for both: each in those of its own."""
    job = 'ssi run -n n2 -- sh -c "id -un; $which" </dev/null'
    loop = f"export SSI_ROOT=local; for i in $(seq 20); do {job}; done"

    def seen(user: str) -> set[str]:
        words = ("env", f"which={WHICH}", "sh", "-c", loop)
        run = ssi.host("n2").run(*words, user=user, timeout_s=COMMAND_TIMEOUT_S)
        lines = run.stdout.decode().split()
        assert lines[0::2] == [user] * 20, lines
        return set(lines[1::2])

    async def both() -> list[set[str]]:
        return list(await asyncio.gather(*(asyncio.to_thread(seen, u) for u in ("root", "ada"))))

    root, ada = asyncio.run(both())
    assert root and ada
    assert not root & ada
