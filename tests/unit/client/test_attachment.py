"""A job's output on its way out: what becomes of it where nobody takes it any more."""

from __future__ import annotations

import asyncio
import gc
import signal
from functools import partial
from typing import Any, cast

import pytest

from ssi.client.attachment import OutputClosed, connect
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.model.job import JobRow, JobState
from ssi.protocol.jobs import StreamData
from ssi.protocol.refusals import NodeDown

ROW = JobRow(
    gpid=15000001,
    node="n1",
    user="ada",
    argv=("true",),
    cwd="/",
    state=JobState.EXITED,
    start_ms=1,
    exit_status=3,
)


class _Row:
    has_terminal = False


class _Job:
    """One that writes for ever on stdout; on stderr it says nothing until it is told to end."""

    row = _Row()
    output: tuple[bytes, bytes] | None = None

    def __init__(self) -> None:
        self.told: list[int] = []

    async def read(self, stream: str, offset: int, *, peek: bool) -> StreamData:
        await asyncio.sleep(0)
        if stream == "stderr":
            await asyncio.Event().wait()
        return StreamData(offset=offset, data=b"y\n", ended=False)

    def hasten(self, *, peek: bool) -> None:
        """There is no channel to it."""

    def dawdle(self) -> None:
        """Likewise."""

    async def signal(self, number: int) -> None:
        self.told.append(number)

    async def wait(self) -> JobRow:
        await asyncio.Event().wait()
        raise AssertionError


def carried(error: OSError) -> tuple[_Job, BaseException, list[dict[str, Any]]]:
    """What comes of a job whose output cannot be written, and what the loop complains of."""
    job, complaints = _Job(), []

    async def sink(_data: bytes) -> None:
        raise error

    async def body() -> BaseException:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        with pytest.raises(BaseException) as raised:
            await connect(cast("JobHandle", job), source=None, sinks=(sink, sink))
        return raised.value

    value = asyncio.run(body())
    gc.collect()
    return job, value, complaints


@pytest.mark.parametrize(
    ("error", "kind"),
    [(BrokenPipeError(32, "Broken pipe"), OutputClosed), (OSError(28, "No space left"), OSError)],
)
def test_output_that_nobody_takes_ends_the_job_by_sigpipe(
    error: OSError, kind: type[Exception]
) -> None:
    job, value, complaints = carried(error)
    assert job.told == [signal.SIGPIPE]
    leaves = value.exceptions if isinstance(value, BaseExceptionGroup) else (value,)
    assert [type(each) for each in leaves] == [kind]
    assert complaints == []


def test_a_write_that_fails_while_its_reader_is_given_up_is_no_complaint() -> None:
    """History of the race: 1. bytes are being written; 2. the next ones are fetched; 3. all of it
    is given up, for another node's reader left; 4. the write fails, too, and nobody asks it."""
    complaints: list[dict[str, Any]] = []

    async def body() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        writing, broken = asyncio.Event(), asyncio.Event()

        class Silent(_Job):
            async def read(self, stream: str, offset: int, *, peek: bool) -> StreamData:
                if offset or stream == "stderr":
                    await asyncio.Event().wait()
                return StreamData(offset=offset, data=b"y\n", ended=False)

        async def sink(_data: bytes) -> None:
            writing.set()
            await broken.wait()
            raise BrokenPipeError(32, "Broken pipe")

        job = cast("JobHandle", Silent())
        task = asyncio.ensure_future(connect(job, source=None, sinks=(sink, sink)))
        await writing.wait()
        broken.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(body())
    gc.collect()
    assert complaints == []


class _Ending(_Job):
    """One whose output ends once somebody has asked for its end."""

    def __init__(self, error: NodeDown | None) -> None:
        super().__init__()
        self._asked = asyncio.Event()
        self._error = error

    async def read(self, stream: str, offset: int, *, peek: bool) -> StreamData:
        await self._asked.wait()
        return StreamData(offset=offset, data=b"y\n", ended=True)

    async def wait(self) -> JobRow:
        self._asked.set()
        if self._error is not None:
            raise self._error
        return ROW


@pytest.mark.parametrize("error", [None, NodeDown(node="n1", silent_s=12.0)])
def test_the_end_is_asked_for_with_the_output_and_told_after_all_of_it(
    error: NodeDown | None,
) -> None:
    written: list[bytes] = []

    async def sink(data: bytes) -> None:
        written.append(data)

    async def body() -> JobRow:
        job = cast("JobHandle", _Ending(error))
        async with asyncio.timeout(30):
            return await connect(job, source=None, sinks=(sink, sink))

    if error is None:
        assert asyncio.run(body()).exit_status == 3
    else:
        with pytest.raises(NodeDown):
            asyncio.run(body())
    assert written == [b"y\n", b"y\n"]


@pytest.mark.parametrize("output", [(b"", b""), (b"a", b""), (b"", b"b"), (b"a", b"b")])
def test_what_came_with_the_start_is_written_and_nothing_is_asked(
    output: tuple[bytes, bytes],
) -> None:
    written: list[list[bytes]] = [[], []]

    async def to(number: int, data: bytes) -> None:
        written[number].append(data)

    async def body() -> JobRow:
        job = JobHandle(cast("System", None), ROW, has_input=False, output=output)
        return await connect(job, source=None, sinks=(partial(to, 0), partial(to, 1)))

    assert asyncio.run(body()) is ROW
    assert tuple(map(b"".join, written)) == output


def test_each_stream_that_came_with_the_start_can_be_read_first() -> None:
    async def body() -> None:
        other = asyncio.Event()

        async def slow(_data: bytes) -> None:
            await other.wait()

        async def quick(_data: bytes) -> None:
            other.set()

        for sinks in ((slow, quick), (quick, slow)):
            other.clear()
            job = JobHandle(cast("System", None), ROW, has_input=False, output=(b"a", b"b"))
            async with asyncio.timeout(60):
                await connect(job, source=None, sinks=sinks)

    asyncio.run(body())


def test_output_that_came_with_the_start_and_nobody_takes_is_told_as_any_other() -> None:
    class Ended(_Job):
        output = (b"a", b"")

    async def sink(_data: bytes) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    job = Ended()
    with pytest.raises(OutputClosed):
        asyncio.run(connect(cast("JobHandle", job), source=None, sinks=(sink, sink)))
    assert job.told == [signal.SIGPIPE]
