"""A file as a stream of bytes: several pieces are under way, and come in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from ssi.client.files.tree import OpenFile, Tree

PIECE_BYTES: Final = 256 * 1024
UNDER_WAY: Final = 8


async def contents(tree: Tree, path: bytes) -> AsyncIterator[bytes | memoryview]:
    """All bytes of a file, to its end as it is when that is reached.

    Raises:
        OSError: It cannot be read.
        SsiError: Its machine does not answer any more.
    """
    file = await tree.open(path, ahead=True)
    try:
        if file.content is not None and file.content:
            yield file.content
            return
        async for piece in _pieces(file):
            yield piece
    finally:
        await file.close()


async def _pieces(file: OpenFile) -> AsyncIterator[bytes | memoryview]:
    offset, window = 0, 1
    waiting: deque[asyncio.Task[bytes | memoryview]] = deque()
    try:
        while True:
            while len(waiting) < window:
                piece = asyncio.ensure_future(_read(file, offset))
                waiting.append(piece)
                offset += PIECE_BYTES
            data = await waiting.popleft()
            if data:
                yield data
            if len(data) < PIECE_BYTES:
                return
            window = UNDER_WAY  # it is no small one
    finally:
        for piece in waiting:
            piece.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _read(file: OpenFile, offset: int) -> bytes | memoryview:
    return await file.read(offset, PIECE_BYTES)
