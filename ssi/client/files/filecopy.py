"""One regular file is copied: beside its place, chunk by chunk, looked at, and then renamed.

The name that it has meanwhile tells of which version of which file it is a copy. So a copy that was
broken off is found by the next one, which compares its chunks and goes on.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ssi.client.files.local import temporary_beside
from ssi.client.files.remote import FileLost
from ssi.client.files.tree import CHUNK_BYTES, Attributes, Change, OpenFile, Tree
from ssi.model.errors import SsiError

UNDER_WAY: Final = 12
"""Chunks of one file at a time."""

TRIES: Final = 3
"""For a chunk that is not there as it was sent."""

KEPT_FROM_BYTES: Final = 8 * CHUNK_BYTES
"""What is left of a larger file is kept for the next try where a copy breaks off."""

Moved = Callable[[int], None]
"""Told of so many more bytes that are there."""


class Damaged(OSError):
    """What was written is not there, or not as it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrder:
    """What is to be copied where.

    Attributes:
        change: Attributes that the copy gets, its mode among them.
        extended: Extended attributes.
        exclusive: Leave alone what may appear at the place meanwhile.
    """

    source: Tree
    path: bytes
    target: Tree
    place: bytes
    change: Change
    extended: dict[bytes, bytes]
    exclusive: bool = False


async def copy_file(order: FileOrder, moved: Moved) -> bool:
    """Copies; whether the source was the same before and after.

    Raises:
        OSError: Of either machine; at the place is what was there before.
        SsiError: One of them does not answer any more; likewise.
    """
    source = await order.source.open(order.path, ahead=True)
    try:
        if source.content is not None and not order.extended:
            await order.target.put(
                order.place,
                source.content,
                order.change,
                exclusive=order.exclusive,
            )
            moved(len(source.content))
            return True
        return await _copy_large(order, source, moved)
    finally:
        await source.close()


async def _copy_large(order: FileOrder, source: OpenFile, moved: Moved) -> bool:
    before = source.attributes
    temporary, target = await _begin(order, before)
    try:
        await _fill(source, target, before.size, moved)
        for name, value in order.extended.items():
            await order.target.set_extended(temporary, name, value)
        await target.change(order.change)
        await order.target.rename(temporary, order.place, exclusive=order.exclusive)
    except (OSError, asyncio.CancelledError) as exc:
        # Where it was broken off, the next try makes use of it; where it was refused, it would
        # only be in the way.
        is_broken_off = isinstance(exc, FileLost | asyncio.CancelledError)
        if not is_broken_off or before.size < KEPT_FROM_BYTES:
            with suppress(OSError, SsiError):
                await order.target.unlink(temporary)
        raise
    finally:
        with suppress(OSError, SsiError):
            await target.close()
    return (await source.look()).version == before.version


async def _begin(order: FileOrder, before: Attributes) -> tuple[bytes, OpenFile]:
    """The copy that was begun before, or a new one; nobody else writes to it."""
    named = f"{order.source.node}\0{before.identity}\0{before.version}".encode() + order.path
    tag = hashlib.blake2b(named, digest_size=6).hexdigest()
    temporary = temporary_beside(order.place, tag)
    try:
        target = await order.target.create(temporary)
    except FileExistsError:
        with suppress(OSError):
            target = await order.target.reopen(temporary)
            if target.attributes.is_file and target.attributes.links == 1 and await target.lock():
                return temporary, target
            await target.close()
        temporary = temporary_beside(order.place, secrets.token_hex(6))
        target = await order.target.create(temporary)
    await target.lock()
    return temporary, target


async def _fill(source: OpenFile, target: OpenFile, size: int, moved: Moved) -> None:
    """Gives the copy the bytes and the holes of the source."""
    have = target.attributes.size
    if have > size:
        await target.resize(size)
    gate = asyncio.Semaphore(UNDER_WAY)

    async def one(offset: int, span: int) -> None:
        try:
            await _chunk(source, target, offset, span, is_there=offset < have)
        finally:
            gate.release()
        moved(span)

    try:
        async with asyncio.TaskGroup() as tasks:
            async for offset, span in _chunks(source, size):
                await gate.acquire()
                tasks.create_task(one(offset, span))
    except BaseExceptionGroup as group:
        raise _first(group) from group  # one of the chunks tells why
    await target.resize(size)


async def _chunk(
    source: OpenFile, target: OpenFile, offset: int, span: int, *, is_there: bool
) -> None:
    if is_there:
        ours, theirs = await asyncio.gather(
            source.digests(offset, span), target.digests(offset, span)
        )
        if ours and ours == theirs:
            return
    data = await source.read(offset, span)
    if len(data) < span:
        raise Damaged(errno.EIO, "it became shorter while it was copied")
    for _ in range(TRIES):
        await target.write(offset, data)
        if await target.holds(offset, data):
            return
    raise Damaged(errno.EIO, "what was written cannot be read back")


async def _chunks(source: OpenFile, size: int) -> AsyncIterator[tuple[int, int]]:
    """Pieces of what is no hole, each at most a chunk, in order."""
    offset = 0
    is_dense = source.attributes.blocks * 512 >= size
    while offset < size:
        extent = (0, size) if is_dense else await source.next_data(offset)
        if extent is None:
            return
        offset, end = extent[0], min(extent[1], size)
        while offset < end:
            span = min(CHUNK_BYTES - offset % CHUNK_BYTES, end - offset)
            yield offset, span
            offset += span


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
