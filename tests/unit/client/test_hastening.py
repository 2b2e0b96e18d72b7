"""A handle's channel: when it is sought, and what goes on without one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ssi.client.channel import Channel
from ssi.client.hastening import LONGEST_PAUSE_S, Hastening
from ssi.protocol.jobs import StreamData
from ssi.protocol.refusals import NotServed

LIMIT_S = 30.0


class Line(Channel):
    """A channel that says what it is told to, instead of a shim."""

    def __init__(self, *says: bytes | None, takes: int | None = None) -> None:
        self.says = list(says)
        self.takes = takes
        self.over = False
        self.closed = False
        self.asked: list[int] = []

    @property
    def is_over(self) -> bool:
        return self.over

    @property
    def has_begun(self) -> bool:
        return bool(self.asked)

    def close(self) -> None:
        self.closed = self.over = True

    async def read(self, offset: int, wait_s: float) -> bytes | None:
        self.asked.append(offset)
        data = self.says.pop(0)
        self.over = data is None
        return data

    async def write(self, offset: int, data: bytes, size: object) -> int | None:
        return self.takes


class Seeker:
    """Opens what it has, and fails where that is none; time passes only by its sleeps."""

    def __init__(self, *lines: Line | None) -> None:
        self.lines = list(lines)
        self.now_s = 0.0
        self.slept: list[float] = []
        self.may_go = asyncio.Event()
        self.may_go.set()

    async def open_one(self) -> Channel:
        line = self.lines.pop(0) if self.lines else None
        if line is None:
            raise NotServed(node="n1", request="open-channel")
        return line

    async def sleep(self, pause_s: float) -> None:
        self.slept.append(pause_s)
        await self.may_go.wait()
        await asyncio.sleep(0)
        self.now_s += pause_s

    def hasten(self, after_s: float = 0.0) -> Hastening:
        return Hastening(self.open_one, after_s, clock=lambda: self.now_s, sleep=self.sleep)


def asked(data: bytes, offset: int = 0) -> Callable[[], Awaitable[StreamData]]:
    """A request that is answered."""

    async def ask() -> StreamData:
        return StreamData(offset=offset, data=data, ended=False)

    return ask


async def forever() -> StreamData:
    """A request that waits for output."""
    await asyncio.Event().wait()
    raise AssertionError


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(LIMIT_S):
            await story()

    asyncio.run(within())


def test_a_question_that_waits_gives_way_to_the_channel() -> None:
    async def story() -> None:
        line = Line(b"by the channel", b"and on")
        hastening = Seeker(line).hasten()
        assert (await hastening.read(7, 1.0, forever)).data == b"by the channel"
        assert (await hastening.read(21, 1.0, forever)).data == b"and on"
        assert hastening.way == "keys go straight to the job"
        assert line.asked == [7, 21]
        hastening.end()
        assert line.closed

    play(story)


def test_where_none_can_be_had_requests_go_on_and_it_is_sought_ever_more_rarely() -> None:
    async def story() -> None:
        seeker = Seeker()
        hastening = seeker.hasten(after_s=0.25)
        for number in range(40):
            got = await hastening.read(number, 1.0, asked(b"x", number))
            assert (got.offset, got.data) == (number, b"x")
            for _ in range(4):  # what was begun goes on
                await asyncio.sleep(0)
        assert seeker.slept[:4] == pytest.approx([0.25, 8.0, 64.0, 512.0])
        assert max(seeker.slept) == pytest.approx(LONGEST_PAUSE_S)
        assert hastening.way == "keys go through the agents: n1 does not serve open-channel"
        assert await hastening.write(0, b"key", None) is None
        hastening.end()

    play(story)


def test_after_one_that_ended_requests_go_on_until_the_next() -> None:
    async def story() -> None:
        first, second = Line(b"one", None), Line(b"three")
        seeker = Seeker(first, second)
        hastening = seeker.hasten()
        assert (await hastening.read(0, 1.0, forever)).data == b"one"
        seeker.now_s += 60.0  # it has served well
        seeker.may_go.clear()
        assert (await hastening.read(3, 1.0, asked(b"two", 3))).data == b"two"
        seeker.may_go.set()
        assert (await hastening.read(6, 1.0, forever)).data == b"three"
        assert (first.asked, second.asked) == ([0, 3], [6])
        assert seeker.slept[1] == pytest.approx(1.0)
        hastening.end()

    play(story)


def test_one_that_ends_at_once_counts_as_none() -> None:
    async def story() -> None:
        seeker = Seeker(Line(None), Line(None))
        hastening = seeker.hasten()
        for _ in range(3):
            assert (await hastening.read(0, 1.0, asked(b"x"))).data == b"x"
            for _ in range(6):
                await asyncio.sleep(0)
        assert seeker.slept[:3] == pytest.approx([0.0, 8.0, 64.0])
        hastening.end()

    play(story)


def test_keys_go_by_a_channel_that_is_read_from() -> None:
    async def story() -> None:
        line = Line(b"prompt", b"", takes=12)
        hastening = Seeker(line).hasten()
        assert await hastening.write(10, b"ab", None) is None, "nothing has opened yet"
        await hastening.read(0, 1.0, forever)
        assert await hastening.write(10, b"ab", None) == 12
        line.over = True
        assert await hastening.write(12, b"c", None) is None
        hastening.end()

    play(story)


def test_nothing_goes_on_after_its_end() -> None:
    async def story() -> None:
        seeker = Seeker()
        hastening = seeker.hasten(after_s=5.0)
        seeker.may_go.clear()
        await asyncio.sleep(0)
        hastening.end()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    play(story)


def test_who_still_reads_at_its_end_goes_on_by_requests_alone() -> None:
    async def story() -> None:
        line = Line(b"one", None)
        seeker = Seeker(line, Line(b"never"))
        hastening = seeker.hasten()
        await hastening.read(0, 1.0, forever)
        hastening.end()
        assert (await hastening.read(3, 1.0, asked(b"two", 3))).data == b"two"
        assert len(asyncio.all_tasks()) == 1

    play(story)
