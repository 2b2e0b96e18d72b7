"""Pipes between jobs of several nodes: exact, with the ends of a pipe, whatever moves or dies."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pytest

from ssi.client.connection import Connection
from ssi.client.jobs import JobHandle
from ssi.client.moves import Mover
from ssi.client.pipes import Pipeline, StageSpec
from ssi.client.system import System
from ssi.model.job import JobSpec
from tests.hosts.striking import answers, in_doubt
from tests.hosts.system import PATIENCE_S, Ssi, eventually, pid_of

T = TypeVar("T")

MIB = 1 << 20
NUMBERED = """
import sys
for number in range(int(sys.argv[1])):
    sys.stdout.buffer.write(b"%015d\\n" % number)
"""
"""As many lines of 16 bytes as are asked for, each another."""


def numbered(lines: int) -> bytes:
    return b"".join(b"%015d\n" % number for number in range(lines))


@pytest.fixture(autouse=True)
def environment(ssi: Ssi, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in ssi.environment.items():
        monkeypatch.setenv(key, value)
    ssi.ok("nodes")  # this machine's agent is there, and is no child of the test


def do(deed: Callable[[System], Awaitable[T]]) -> T:
    async def connected() -> T:
        async with asyncio.timeout(4 * PATIENCE_S), await Connection.open() as connection:
            return await deed(System(connection))

    return asyncio.run(connected())


async def started(system: System, *stages: tuple[str, tuple[str, ...]]) -> Pipeline:
    specs = [StageSpec(node=node, spec=JobSpec(argv=argv)) for node, argv in stages]
    pipeline = await Pipeline.start(system, specs)
    await pipeline.stages[0].write(0, b"", end=True)
    return pipeline


async def output_of(stage: JobHandle) -> bytes:
    output = b""
    while True:
        data = await stage.read("stdout", len(output))
        output += data.data
        if data.ended:
            return output


async def finished(pipeline: Pipeline) -> tuple[bytes, list[int]]:
    """What the last stage printed, and how all ended."""
    output = await output_of(pipeline.stages[-1])
    ends = await pipeline.wait()
    await pipeline.release()
    assert not [end.problem for end in ends if end.problem]
    return output, [end.status for end in ends]


def test_what_three_stages_on_three_nodes_pass_on_is_exact(ssi: Ssi) -> None:
    lines = 64 * MIB // 16
    digest = hashlib.sha256(numbered(lines)).hexdigest()

    async def deed(system: System) -> None:
        pipeline = await started(
            system,
            ("n1", ("python3", "-c", NUMBERED, str(lines))),
            ("n2", ("cat",)),
            ("n3", ("sha256sum",)),
        )
        output, statuses = await finished(pipeline)
        assert (output.split()[0].decode(), statuses) == (digest, [0, 0, 0])

    do(deed)


def test_ends_are_those_of_a_pipe(ssi: Ssi) -> None:
    async def deed(system: System) -> None:
        many = await started(
            system, ("n1", ("yes",)), ("n2", ("cat",)), ("n2", ("head", "-n", "2"))
        )
        assert await finished(many) == (b"y\ny\n", [141, 141, 0])
        none = await started(system, ("n3", ("yes",)), ("n1", ("true",)))
        assert await finished(none) == (b"", [141, 0])
        # The reader lives and has closed its input: the writer learns it all the same.
        closed = await started(
            system, ("n1", ("yes",)), ("n2", ("sh", "-c", "exec <&-; exec sleep 1000"))
        )
        ended = await closed.stages[0].wait()
        assert ended.exit_status == 141
        await closed.take_down()
        failing = await started(
            system, ("n1", ("sh", "-c", "echo a; exit 3")), ("n1", ("sh", "-c", "cat; exit 4"))
        )
        assert await finished(failing) == (b"a\n", [3, 4])

    do(deed)


def test_stages_that_move_while_bytes_flow_lose_and_double_none(ssi: Ssi) -> None:
    # The first still writes at its move: two pipes hold 14 MiB, and 8 have been read by then.
    lines = 40 * MIB // 16

    async def deed(system: System) -> None:
        pipeline = await started(
            system,
            ("n1", ("python3", "-c", NUMBERED, str(lines))),
            ("n2", ("cat",)),
            ("n3", ("cat",)),
        )
        last = pipeline.stages[-1]
        offset, digest = 0, hashlib.sha256()

        async def read_up_to(limit: int) -> bool:
            """The client reads slowly, so all of them wait in write(2) while they are moved."""
            nonlocal offset
            while offset < limit:
                data = await last.read("stdout", offset)
                digest.update(data.data)
                offset = data.offset + len(data.data)
                if data.ended:
                    return False
            return True

        async def move(index: int, node: str) -> None:
            row = pipeline.stages[index].row
            await Mover(system).move(await Mover(system).locate(row.gpid), node)

        assert await read_up_to(1 * MIB)
        await move(1, "n3")
        assert await read_up_to(8 * MIB)  # by now bytes go from shim to shim
        await asyncio.gather(move(0, "n2"), move(1, "n1"))  # both ends of a pipe at once
        await read_up_to(lines * 16 + 1)
        assert digest.hexdigest() == hashlib.sha256(numbered(lines)).hexdigest()
        assert [end.status for end in await pipeline.wait()] == [0, 0, 0]
        await pipeline.release()

    do(deed)


def test_agents_that_are_killed_meanwhile_find_their_pipes_again(ssi: Ssi) -> None:
    lines = 24 * MIB // 16
    old = {node: pid_of(ssi.host(node), "agent") for node in ("n1", "n2")}

    async def deed(system: System) -> None:
        pipeline = await started(
            system, ("n1", ("python3", "-c", NUMBERED, str(lines))), ("n2", ("cat",))
        )
        output = b""
        for (node, pid), limit in zip(old.items(), (1 * MIB, 8 * MIB), strict=True):
            while len(output) < limit:
                output += (await pipeline.stages[-1].read("stdout", len(output))).data
            ssi.host(node).enter("kill", "-KILL", str(pid))
        while not (data := await pipeline.stages[-1].read("stdout", len(output))).ended:
            output += data.data
        output += data.data
        assert output == numbered(lines)
        # How they ended is asked of both, for no longer than a person would wait.
        for node, pid in old.items():
            back = partial(answers, ssi, node, pid)
            await asyncio.to_thread(eventually, back, what=f"the agent of {node} is back")
        ends = [(end.status, end.problem) for end in await pipeline.wait()]
        assert ends == [(0, ""), (0, "")]
        await pipeline.release()

    do(deed)


def test_a_source_that_is_lost_is_no_end_of_input_and_is_named(ssi: Ssi) -> None:
    async def deed(system: System) -> None:
        pipeline = await started(
            system,
            ("n1", ("sh", "-c", "echo part; exec sleep 1000")),
            ("n2", ("sh", "-c", "cat; echo took it for all")),
        )
        source, reader = pipeline.stages
        part = await reader.read("stdout", 0)
        assert part.data == b"part\n"
        row = next(row for row in ssi.json("ps") if row["gpid"] == source.row.gpid)
        parent = ssi.host("n1").run("ps", "-o", "ppid=", "-p", str(row["pid"])).stdout.decode()
        ssi.host("n1").enter("kill", "-KILL", parent.strip())  # its shim, with its unread output
        lost, hung_up = await pipeline.wait()
        assert lost.status == hung_up.status == 255
        assert f"stdout of job {source.row.gpid}" in hung_up.problem
        assert (await reader.read("stdout", part.offset + len(part.data))).data == b""
        await pipeline.release()

    do(deed)


def test_a_writer_whose_move_is_in_doubt_learns_later_that_its_reader_closed(ssi: Ssi) -> None:
    ssi.host("n3").run("rm", "-f", "/srv/close")
    waits = "until [ -e /srv/close ]; do sleep 0.1; done; exec <&-; exec sleep 1000"

    async def deed(system: System) -> None:
        pipeline = await started(system, ("n1", ("yes",)), ("n3", ("sh", "-c", waits)))
        writer, reader = (asyncio.create_task(stage.wait()) for stage in pipeline.stages)
        with contextlib.ExitStack() as stack:
            doubted = in_doubt(ssi, str(pipeline.stages[0].row.gpid))
            await asyncio.to_thread(stack.enter_context, doubted)
            ssi.host("n3").run("touch", "/srv/close")
            await asyncio.sleep(6.0)  # n1 is asked to close the writer's pipe, more than once
            assert not writer.done()
        ended = await writer
        assert (ended.exit_status, ended.node) == (141, "n2")
        assert not reader.done()
        await pipeline.take_down()
        await reader

    do(deed)
