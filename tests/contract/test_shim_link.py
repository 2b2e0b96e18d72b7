"""The agent's end of a shim's socket, against one that answers, is slow, babbles or dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from nodeagent.keeperlink import KeeperLink
from nodeagent.shim import messages as m
from nodeagent.shim.keepermessages import ForkShim, ShimForked
from nodeagent.shimlink import ShimGone, ShimLink, ShimSilent
from ssi.model.launch import CommandNotFound
from ssi.transport.frames import read_frame, write_frame
from tests.contract.wire import PATIENCE_S, run

Handler = Callable[[m.RequestFrame], Awaitable[m.ReplyMessage | None]]
STATUS = m.Status(stage="running", shim_pid=7)


class _Over(Exception):
    """The test is done."""


class Shim:
    """Listens where a shim would, and answers by a handler; None hangs up."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self.path = path
        self.handler = handler
        self.seen: list[m.RequestMessage] = []
        self.visits: set[asyncio.Task[None]] = set()

    async def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.current_task()
        assert visit is not None
        self.visits.add(visit)
        with suppress(asyncio.CancelledError):
            await self.serve(reader, writer)
        writer.close()

    async def end(self) -> None:
        for visit in self.visits:
            visit.cancel()
        await asyncio.gather(*self.visits)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = msgspec.msgpack.Decoder(m.RequestFrame)
        while (frame := await read_frame(reader, m.MAX_FRAME_BYTES)) is not None:
            request = decoder.decode(frame)
            self.seen.append(request.body)
            reply = await self.handler(request)
            if reply is None:
                break
            write_frame(writer, msgspec.msgpack.encode(m.ReplyFrame(request.number, reply)))


@asynccontextmanager
async def linked(directory: Path, handler: Handler) -> AsyncIterator[tuple[ShimLink, Shim]]:
    shim = Shim(directory / "shim.sock", handler)
    server = await asyncio.start_unix_server(shim.visit, str(shim.path))
    try:
        async with asyncio.TaskGroup() as tasks:
            link = await ShimLink.connect(shim.path, tasks)
            yield link, shim
            link.close()
            raise _Over
    except* _Over:
        pass
    finally:
        server.close()
        await shim.end()
        await server.wait_closed()


async def status(_request: m.RequestFrame) -> m.ReplyMessage:
    return STATUS


async def hang_up(_request: m.RequestFrame) -> None:
    return None


async def never(_request: m.RequestFrame) -> m.ReplyMessage:
    await asyncio.sleep(3600)
    raise AssertionError


def test_reply_comes_to_its_request(tmp_path: Path) -> None:
    async def test() -> None:
        async with linked(tmp_path, status) as (link, shim):
            assert await link.ask(m.GetStatus(), m.Status, PATIENCE_S) == STATUS
            assert shim.seen == [m.GetStatus()]

    run(test())


def test_failure_of_a_shim_is_raised_as_the_error_that_it_was(tmp_path: Path) -> None:
    async def fail(_request: m.RequestFrame) -> m.ReplyMessage:
        return m.Failed(word="command-not-found", fields={"command": "xyzzy"})

    async def test() -> None:
        async with linked(tmp_path, fail) as (link, _shim):
            with pytest.raises(CommandNotFound, match="xyzzy: command not found"):
                await link.ask(m.GetStatus(), m.Status, PATIENCE_S)

    run(test())


def test_shim_that_is_slow_is_silent_and_not_gone(tmp_path: Path) -> None:
    async def test() -> None:
        async with linked(tmp_path, never) as (link, _shim):
            with pytest.raises(ShimSilent, match="nobody answered Commit"):
                await link.ask(m.Commit(), m.Ok, 0.02)
            assert not link.gone.is_set()

    run(test())


def test_shim_that_hangs_up_is_gone_for_what_is_pending_and_what_comes(tmp_path: Path) -> None:
    async def test() -> None:
        async with linked(tmp_path, hang_up) as (link, _shim):
            asking = [link.ask(m.GetStatus(), m.Status, PATIENCE_S) for _ in range(3)]
            outcomes = await asyncio.gather(*asking, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [ShimGone] * 3
            await link.gone.wait()
            with pytest.raises(ShimGone, match="has ended"):
                await link.ask(m.GetStatus(), m.Status, PATIENCE_S)

    run(test())


@pytest.mark.parametrize(
    "garbage", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", b"\0\0\0\x20half", b"\0"]
)
def test_shim_that_babbles_is_gone(tmp_path: Path, garbage: bytes) -> None:
    async def test() -> None:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(garbage)
            await writer.drain()
            writer.close()

        path = tmp_path / "shim.sock"
        server = await asyncio.start_unix_server(babble, str(path))
        async with server, asyncio.TaskGroup() as tasks:
            link = await ShimLink.connect(path, tasks)
            with pytest.raises(ShimGone):
                await link.ask(m.GetStatus(), m.Status, PATIENCE_S)

    run(test())


def test_asker_that_leaves_harms_no_other(tmp_path: Path) -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def wait(_request: m.RequestFrame) -> m.ReplyMessage:
            await go.wait()
            return STATUS

        async with linked(tmp_path, wait) as (link, shim):
            leaving = asyncio.create_task(link.ask(m.GetStatus(), m.Status, PATIENCE_S))
            staying = asyncio.create_task(link.ask(m.GetStatus(), m.Status, PATIENCE_S))
            while not shim.seen:
                await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.wait([leaving])
            go.set()
            assert await staying == STATUS

    run(test())


def test_nobody_at_the_socket_is_gone(tmp_path: Path) -> None:
    async def test() -> None:
        async with asyncio.TaskGroup() as tasks:
            with pytest.raises(ShimGone):
                await ShimLink.connect(tmp_path / "nobody.sock", tasks)

    run(test())


def test_fork_is_asked_again_of_a_keeper_that_died_and_not_of_one_that_is_slow(
    tmp_path: Path,
) -> None:
    fork = ForkShim(directory="/x", namespaces=False)

    async def test() -> None:
        answers: list[m.ReplyMessage | None] = [None, ShimForked(pid=9)]

        async def answer(_request: m.RequestFrame) -> m.ReplyMessage | None:
            return answers.pop(0) if answers else await never(_request)

        async with linked(tmp_path, answer) as (_link, keeper):
            try:
                async with asyncio.TaskGroup() as tasks:
                    link = KeeperLink(keeper.path, tasks)
                    assert await link.fork_shim(fork) == ShimForked(pid=9)
                    assert keeper.seen == [fork, fork]
                    with pytest.MonkeyPatch.context() as patch:
                        patch.setattr("nodeagent.keeperlink.FORK_TIMEOUT_S", 0.02)
                        with pytest.raises(ShimSilent):
                            await link.fork_shim(fork)
                    assert len(keeper.seen) == 3
                    raise _Over
            except* _Over:
                pass

    run(test())
