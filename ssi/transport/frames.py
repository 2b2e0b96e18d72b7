"""Framing of Unix sockets: four bytes of length, big-endian, then that many bytes."""

from __future__ import annotations

import asyncio
import struct
from typing import Final

from ssi.protocol.codec import BadMessage

_LENGTH = struct.Struct(">I")

COPIED_BYTES: Final = 64 * 1024
"""Up to here a copy costs less than a second call of the kernel and a second wake of the reader."""


async def read_frame(reader: asyncio.StreamReader, limit_bytes: int) -> bytes | None:
    """The next frame; None where the other side closed between two.

    Raises:
        BadMessage: It closed within one, or announces more than ``limit_bytes``.
    """
    length = -1
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > limit_bytes:
            raise BadMessage(reason=f"a frame of {length} bytes, more than {limit_bytes}")
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as exc:
        if exc.partial or length >= 0:
            raise BadMessage(reason="the connection closed within a frame") from exc
        return None
    except ConnectionError:
        return None


def write_frame(writer: asyncio.StreamWriter, frame: bytes) -> None:
    """Queues a frame; the caller drains."""
    length = _LENGTH.pack(len(frame))
    if len(frame) <= COPIED_BYTES:
        writer.write(length + frame)
        return
    writer.write(length)
    writer.write(frame)
