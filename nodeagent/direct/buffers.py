"""Memory for large records, used again and again: fresh pages cost more than to fill them."""

from __future__ import annotations

from collections import deque
from typing import Final

from nodeagent.mechanism.aesgcm import TAG_BYTES, address_of
from ssi.protocol.filerequests import MAX_DATA_BYTES

LENGTH_BYTES: Final = 4
MAX_HEAD_BYTES: Final = 512 * 1024
"""Of a message without its data; listings of 1,000 long names are the largest."""

MAX_PLAIN_BYTES: Final = MAX_DATA_BYTES + MAX_HEAD_BYTES
KEPT: Final = 8
"""So many are kept that nobody uses."""


class Buffer:
    """Room for one record.

    Attributes:
        view: All of it.
        address: Where it begins.
    """

    __slots__ = ("_memory", "address", "view")

    def __init__(self, size: int) -> None:
        self._memory = bytearray(size)
        self.view = memoryview(self._memory)
        self.address = address_of(self._memory)


class Buffers:
    """Lends buffers that hold any record; any thread."""

    def __init__(self) -> None:
        self._free: deque[Buffer] = deque()

    def take(self) -> Buffer:
        """A buffer with anything in it."""
        try:
            return self._free.pop()
        except IndexError:
            return Buffer(LENGTH_BYTES + MAX_PLAIN_BYTES + TAG_BYTES)

    def give(self, buffer: Buffer) -> None:
        """Nobody uses it any more."""
        if len(self._free) < KEPT:
            self._free.append(buffer)
