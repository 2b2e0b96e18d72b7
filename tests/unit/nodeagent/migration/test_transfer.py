"""Pieces on their way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

from nodeagent.migration.transfer import Courier
from nodeagent.peers import Peers
from ssi.protocol.message import Done, RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.migration import Piece
from tests.unit.nodeagent.asking import run

MANY = 40
"""More moves at once than asyncio has threads on any machine."""


class Receiver(Peers):
    """Takes everything."""

    def __init__(self) -> None:
        pass

    def read_bulk_link(self, node: str) -> None:
        return None

    async def ask(
        self, node: str, body: RequestMessage, *, timeout_s: float, request_id: bytes | None = None
    ) -> ReplyBody:
        return Done()


def test_moves_that_wait_for_criu_leave_threads_to_what_they_wait_for() -> None:
    """With the threads of all, many moves at once would stand still for ever.

    1. The reader of each waits in a thread for CRIU to have written. 2. That is told once its plan
    has been made, in a thread. 3. There is none left.
    """
    written = threading.Event()

    def pieces() -> Iterator[Piece]:
        written.wait()
        yield Piece("pages-1.img", 0, b"memory")

    async def test() -> None:
        courier = Courier(Receiver())
        try:
            async with asyncio.TaskGroup() as tasks:
                sends = [
                    tasks.create_task(courier.send("n2", (number, 2), pieces(), packs=False))
                    for number in range(MANY)
                ]
                await asyncio.sleep(0)
                await asyncio.to_thread(written.set)
        finally:
            written.set()
        assert [send.result().size_bytes for send in sends] == [len(b"memory")] * MANY

    run(test())
