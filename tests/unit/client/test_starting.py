from __future__ import annotations

import asyncio
from typing import cast

import pytest

from ssi.client.connection import Connection
from ssi.client.errors import DoorClosed
from ssi.client.starting import begun
from ssi.client.system import System


class Start:
    """Something that is started, and takes as long as a test wants."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()
        self.ended: list[str] = []

    async def start(self) -> str:
        await self.may_go_on.wait()
        return "job"

    async def fail(self) -> str:
        await self.may_go_on.wait()
        raise DoorClosed(path="door", reason="closed")

    async def end(self, job: str) -> None:
        self.ended.append(job)


@pytest.mark.parametrize(("fails", "ended"), [(False, ["job"]), (True, [])])
def test_what_is_interrupted_while_it_starts_is_ended_once_it_is_there(
    fails: bool, ended: list[str]
) -> None:
    async def story() -> None:
        system, start = System(cast("Connection", None)), Start()
        work = start.fail() if fails else start.start()
        waiting = asyncio.create_task(begun(system, work, start.end))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert start.ended == []
        start.may_go_on.set()
        await system.settle()
        assert start.ended == ended

    asyncio.run(story())


def test_what_was_started_is_given_and_goes_on() -> None:
    async def story() -> None:
        system, start = System(cast("Connection", None)), Start()
        start.may_go_on.set()
        assert await begun(system, start.start(), start.end) == "job"
        assert (start.ended, system.has_later) == ([], False)

    asyncio.run(story())
