"""One input for many readers."""

from __future__ import annotations

import asyncio

from ssi.client.attachment import Source
from ssi.client.spool import Spool
from tests.unit.nodeagent.asking import run


async def everything(source: Source) -> bytes:
    found = b""
    while data := await source():
        found += data
    return found


def test_each_reader_gets_all_of_it_also_one_that_comes_late() -> None:
    async def story() -> None:
        parts: asyncio.Queue[bytes] = asyncio.Queue()
        async with Spool(parts.get) as spool:
            first = asyncio.create_task(everything(spool.reader()))
            for part in (b"a" * 70_000, b"b"):
                await parts.put(part)
                await asyncio.sleep(0)
            late = asyncio.create_task(everything(spool.reader()))
            await parts.put(b"c")
            await parts.put(b"")
            expected = b"a" * 70_000 + b"bc"
            assert await first == await late == expected
            assert await everything(spool.reader()) == expected

    run(story())


def test_a_source_that_breaks_ends_what_is_read() -> None:
    async def broken() -> bytes:
        raise OSError

    async def story() -> None:
        async with Spool(broken) as spool:
            assert await everything(spool.reader()) == b""

    run(story())
