"""Channels: a client's keys straight to a real shim, and its job's output straight back."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nodeagent.mechanism.aesgcm import KEY_BYTES
from nodeagent.shim import messages as m
from nodeagent.shim.lanemessages import LaneOpened, OpenChannel
from nodeagent.shim.streammessages import (
    Accepted,
    CloseOutput,
    Write,
)
from ssi.client.channel import Channel, dial
from ssi.model.job import Terminal
from ssi.model.shim import WrongStage
from tests.hosts.shim_client import ShimClient
from tests.hosts.system import PATIENCE_S, eventually

WRITER = b"somebody"
KEY = bytes(range(KEY_BYTES))
SIZE = Terminal(rows=24, columns=80)


@asynccontextmanager
async def channel_to(
    shim: ShimClient, *, peek: bool = False, key: bytes = b""
) -> AsyncIterator[Channel]:
    """An open channel; ``key``: another than the shim has been told."""
    agreed = os.urandom(KEY_BYTES)
    opened = shim.ask(OpenChannel(writer=WRITER, key=agreed, peek=peek), LaneOpened)
    made = Channel(await dial("127.0.0.1", opened.port), key or agreed)
    try:
        yield made
    finally:
        made.close()


class Reader:
    """Reads on from a number."""

    def __init__(self, channel: Channel, offset: int = 0) -> None:
        self.channel = channel
        self.offset = offset
        self.seen = b""

    async def some(self) -> bool:
        """False at the end of the channel."""
        data = await self.channel.read(self.offset, PATIENCE_S)
        if data is None:
            return False
        assert data, "nothing came in time"
        self.seen += data
        self.offset += len(data)
        return True

    async def until(self, what: bytes) -> None:
        while what not in self.seen:
            assert await self.some(), self.seen[-200:]


def written_by(pid: int) -> int:
    """Bytes (proc(5), io)."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("wchar")).split()[1])


def test_keys_are_echoed_and_a_window_has_its_size(shim: ShimClient) -> None:
    async def type_to_it() -> None:
        async with channel_to(shim) as channel:
            reader = Reader(channel)
            await reader.until(b"ready")
            wide = Terminal(rows=31, columns=101)
            assert await channel.write(0, b"one\n", wide) == 4
            await reader.until(b"one\r\n31 101\r\n")
            assert await channel.write(4, b"two\n", Terminal(rows=0)) == 8
            await reader.until(b"two\r\n31 101\r\n")

    shim.start("sh", "-c", "echo ready; while read x; do stty size; done", terminal=SIZE)
    asyncio.run(type_to_it())
    # Who comes after goes on by the same numbers, and what was given is not taken again.
    other = shim.another()
    accepted = other.ask(
        Write(offset=4, data=b"two\nthree\n", end=False, wait_ms=10_000, writer=WRITER),
        Accepted,
    )
    assert accepted.offset == 14
    shown = shim.read_until(b"three")
    assert shown.count(b"two") == 1


def test_much_output_arrives_as_it_is_and_its_end_is_told_by_a_request(shim: ShimClient) -> None:
    wanted = b"".join(b"%d\n" % number for number in range(1, 600_001))

    async def read_it() -> int:
        async with channel_to(shim) as channel:
            reader = Reader(channel)
            while await reader.some():
                pass
            assert wanted.startswith(reader.seen)
            return reader.offset

    shim.start("seq", "600000")
    offset = asyncio.run(read_it())
    rest = shim.read_all("stdout", offset)
    assert wanted[:offset] + rest == wanted
    assert offset > 1_000_000, "the channel has carried most of it"


def test_a_reader_that_does_not_read_lets_the_job_wait(shim: ShimClient) -> None:
    async def look() -> None:
        async with channel_to(shim) as channel:
            reader = Reader(channel)
            await reader.some()
            before = -1
            while before != (written := written_by(root)):
                before = written
                await asyncio.sleep(0.5)
            assert written < 16_000_000
            while reader.offset < 30_000_000:
                assert await reader.some()
            assert reader.seen == b"y\n" * (len(reader.seen) // 2) + b"y" * (len(reader.seen) % 2)

    root = shim.start("yes").root_pid
    asyncio.run(look())


def test_a_job_that_does_not_read_is_given_no_more_than_it_takes(shim: ShimClient) -> None:
    data = os.urandom(3_000_000)

    async def give() -> None:
        async with channel_to(shim) as channel:
            reader = Reader(channel)
            await reader.until(b"up\n")
            offset = 0
            while offset < len(data):
                async with asyncio.timeout(PATIENCE_S):
                    taken = await channel.write(offset, data[offset:], None)
                assert taken is not None and offset < taken <= len(data)
                offset = taken

    # It goes on: a channel that ends with its job may end before it has said what was taken.
    shim.start("sh", "-c", f"echo up; sleep 1; head -c {len(data)} | sha256sum; exec sleep 1000")
    asyncio.run(give())
    assert shim.read_until(b"-\n", offset=3).split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_who_has_another_key_is_dropped_and_nobody_is_let_in_twice(shim: ShimClient) -> None:
    async def try_it() -> None:
        async with channel_to(shim, key=os.urandom(KEY_BYTES)) as channel:
            assert await channel.read(0, PATIENCE_S) is None
        opened = shim.ask(OpenChannel(writer=WRITER, key=KEY), LaneOpened)
        # The second may stand in the queue before the first has been let in; then it is reset.
        with (
            await dial("127.0.0.1", opened.port),
            pytest.raises(OSError),
            await dial("127.0.0.1", opened.port) as second,
        ):
            second.settimeout(PATIENCE_S)
            assert second.recv(1) == b"nothing is said to it"

    shim.start("cat")
    asyncio.run(try_it())
    assert shim.write(b"still there").offset == 11
    assert shim.read_until(b"still there")


def test_a_port_that_nobody_comes_to_is_closed(shim: ShimClient) -> None:
    shim.start("cat")
    opened = shim.ask(OpenChannel(writer=WRITER, key=KEY), LaneOpened)

    def listens() -> bool:
        """Without knocking: it would be who it waits for."""
        tables = (Path("/proc/net", name).read_text() for name in ("tcp", "tcp6"))
        rows = (line.split() for table in tables for line in table.splitlines())
        return any(row[1].endswith(f":{opened.port:04X}") and row[3] == "0A" for row in rows)

    assert listens()
    eventually(lambda: not listens(), what="its port is closed")


def test_who_only_looks_leaves_all_to_the_others_and_gives_nothing(shim: ShimClient) -> None:
    async def look() -> None:
        async with channel_to(shim, peek=True) as channel:
            reader = Reader(channel)
            await reader.until(b"word\n")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await channel.write(0, b"more\n", None)

    shim.start("cat")
    shim.write(b"word\n")
    asyncio.run(look())
    assert shim.read(offset=0).data == b"word\n"


def test_a_job_is_wanted_as_long_as_it_has_a_channel(shim: ShimClient) -> None:
    async def stay() -> None:
        async with channel_to(shim) as channel:
            shim.ask(m.Renew(lease_s=1.0), m.Ok)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3.5):
                    await channel.read(0, PATIENCE_S)
            assert not channel.is_over

    shim.start("sleep", "1000")
    asyncio.run(stay())
    began_s = time.monotonic()
    assert shim.status(PATIENCE_S).exit_status == 128 + 1, "SIGHUP, once nobody is there"
    assert time.monotonic() - began_s < PATIENCE_S


@pytest.mark.parametrize("gone", ["the job", "the shim's other end of its output"])
def test_a_channel_ends_with_what_it_carries(shim: ShimClient, gone: str) -> None:
    async def wait() -> None:
        async with channel_to(shim) as channel:
            reader = Reader(channel)
            await reader.until(b"up\n")
            end()
            assert await channel.read(reader.offset, PATIENCE_S) is None

    def end() -> None:
        if gone == "the job":
            os.kill(root, 9)
        else:
            shim.another().ask(CloseOutput(stream="stdout"), m.Ok)

    root = shim.start("sh", "-c", "echo up; exec sleep 1000").root_pid
    asyncio.run(wait())


def test_what_does_not_run_has_none(shim: ShimClient) -> None:
    with pytest.raises(WrongStage):
        shim.ask(OpenChannel(writer=WRITER, key=KEY), LaneOpened)
