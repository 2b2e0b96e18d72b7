"""Bytes of files and images on their way: read in order, packed, a bounded number at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from nodeagent.direct.records import Broken
from nodeagent.mechanism.allocator import ALLOCATOR
from nodeagent.mechanism.pinned import open_regular
from nodeagent.migration.describe import CHUNK_BYTES
from nodeagent.migration.imagelane import Lane
from nodeagent.migration.packing import Packer, PackingRule
from nodeagent.migration.plan import Item
from nodeagent.peers import Peers
from ssi.protocol.migration import Piece, PutPieces
from ssi.protocol.refusals import LinkDown

WINDOW: Final = 8
"""Messages under way: enough to fill the link while both ends work, 8 MiB at the most."""

SEND_TIMEOUT_S: Final = 30.0

QUIET_S: Final = 2.0
"""After the last piece of a send: the job is frozen until then, and has no time for tidiness."""


@dataclass(slots=True)
class Sent:
    """What went over.

    Attributes:
        size_bytes: Of what was read.
        packed_bytes: How much of that was packed.
        link_bytes: What it came to on the link.
    """

    size_bytes: int = 0
    packed_bytes: int = 0
    link_bytes: int = 0

    def add(self, piece: Piece) -> None:
        """Counts a piece."""
        self.size_bytes += piece.unpacked_bytes or len(piece.data)
        self.packed_bytes += piece.unpacked_bytes
        self.link_bytes += len(piece.data)

    def __add__(self, other: Sent) -> Sent:
        return Sent(
            self.size_bytes + other.size_bytes,
            self.packed_bytes + other.packed_bytes,
            self.link_bytes + other.link_bytes,
        )


class Courier:
    """Sends pieces, and remembers of each node how fast the link to it was."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._rules: dict[str, PackingRule] = {}
        self._packer = Packer()

    async def send(
        self,
        node: str,
        job: tuple[int, int],
        pieces: Iterable[Piece],
        *,
        packs: bool,
        lane: Lane | None = None,
        is_last: bool = True,
    ) -> Sent:
        """Sends pieces in their order, :data:`WINDOW` messages at a time.

        Args:
            node: The destination.
            job: First gpid and epoch.
            pieces: Read as they are sent, so that memory stays bounded. In a thread of its own, for
                it waits as long as CRIU writes: in the shared ones a few moves at once would leave
                none to those steps for which each of them waits.
            packs: The destination can unpack.
            lane: That they take; None: they go over CURVE.
            is_last: Nothing takes the lane after them.

        Raises:
            OSError: They cannot be read.
            SsiError: The destination refused a piece or fell silent; the others are not waited for.
        """
        gpid, epoch = job
        rule = self._rules.setdefault(node, PackingRule())
        messages = packed(pieces)
        if lane is not None:
            packing = rule if packs else None
            return await self._send_by(lane, node, job, messages, packing, is_last=is_last)
        slots = asyncio.Semaphore(WINDOW)
        sent = Sent()
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pieces")
        read = partial(self._next, messages, rule if packs else None)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                while message := await loop.run_in_executor(pool, read):
                    ALLOCATOR.keep()
                    await slots.acquire()
                    body = PutPieces(gpid=gpid, epoch=epoch, pieces=message)
                    task = tasks.create_task(self._peers.ask(node, body, timeout_s=SEND_TIMEOUT_S))
                    task.add_done_callback(lambda _task: slots.release())
                    for piece in message:
                        sent.add(piece)
                    rule.saw_link(self._peers.read_bulk_link(node))
        finally:
            loop.call_later(QUIET_S, ALLOCATOR.give_back)
            pool.shutdown(wait=False)  # its thread ends once what it waits for has come
        return sent

    async def _send_by(
        self,
        lane: Lane,
        node: str,
        job: tuple[int, int],
        messages: Iterator[tuple[Piece, ...]],
        rule: PackingRule | None,
        *,
        is_last: bool,
    ) -> Sent:
        sent = Sent()

        def read() -> Iterator[tuple[Piece, ...]]:
            while message := self._next(messages, rule):
                ALLOCATOR.keep()
                yield message
                for piece in message:
                    sent.add(piece)
                if rule is not None:
                    rule.saw_link(lane.reading())

        try:
            await lane.send(read(), is_last=is_last)
        except Broken as exc:
            gpid, epoch = job
            body = PutPieces(gpid=gpid, epoch=epoch, pieces=())
            await self._peers.ask(node, body, timeout_s=SEND_TIMEOUT_S)  # fails where it knows why
            reason = f"the connection for its bytes broke: {exc}"
            raise LinkDown(node=node, reason=reason) from exc
        finally:
            asyncio.get_running_loop().call_later(QUIET_S, ALLOCATOR.give_back)
        return sent

    def _next(
        self, messages: Iterator[tuple[Piece, ...]], rule: PackingRule | None
    ) -> tuple[Piece, ...]:
        """The next message, packed where that is the faster way; empty: there is none."""
        message = next(messages, ())
        if rule is None or not rule.packs:
            return message
        return tuple(self._packer.pack(piece, rule) for piece in message)


def packed(pieces: Iterable[Piece]) -> Iterator[tuple[Piece, ...]]:
    """Pieces put together to messages of at most a chunk; a checkpoint has many tiny files."""
    message: list[Piece] = []
    size = 0
    for piece in pieces:
        if message and size + len(piece.data) > CHUNK_BYTES:
            yield tuple(message)
            message, size = [], 0
        message.append(piece)
        size += len(piece.data)
    if message:
        yield tuple(message)


def file_pieces(item: Item, chunks: Sequence[int]) -> Iterator[Piece]:
    """The wanted chunks of one file.

    Raises:
        OSError: It cannot be read; ``FileNotFoundError``: or is not there any more.
    """
    if not chunks:
        return
    descriptor = open_regular(item.link, item.identity)
    try:
        for index in chunks:
            yield Piece(
                item.path,
                index * CHUNK_BYTES,
                os.pread(descriptor, CHUNK_BYTES, index * CHUNK_BYTES),
            )
    finally:
        os.close(descriptor)
