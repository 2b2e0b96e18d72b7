"""A stream of a job: bytes numbered from its first one, of which the shim holds a few. Pure.

The writer asks for :attr:`Stream.room` first, and waits where there is none; so a reader that does
not read lets the writer wait, as a pipe does. Bytes taken back or drained from a pipe may exceed
the limit, once, because they must not be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nodeagent.shim.messages import STREAM_BUFFER_BYTES


class Stream:
    """The bytes from :attr:`start` up to :attr:`end`; ``ended``: none will follow."""

    def __init__(self, start: int = 0, limit_bytes: int = STREAM_BUFFER_BYTES) -> None:
        self.start = start
        self.ended = False
        self._limit_bytes = limit_bytes
        self._data = bytearray()

    def __repr__(self) -> str:
        return f"Stream({self.start}..{self.end}{' ended' if self.ended else ''})"

    @property
    def end(self) -> int:
        """The number that the next byte will have."""
        return self.start + len(self._data)

    @property
    def held(self) -> int:
        """How many bytes are held."""
        return len(self._data)

    @property
    def room(self) -> int:
        """How many bytes may be appended now."""
        return 0 if self.ended else max(0, self._limit_bytes - len(self._data))

    def append(self, data: bytes | memoryview) -> None:
        """Adds bytes at the end."""
        assert not self.ended
        self._data += data

    def pass_by(self, count: int) -> None:
        """So many bytes came and went, and were never held."""
        assert not self.ended and not self._data
        self.start += count

    def put_back(self, data: bytes) -> None:
        """Adds bytes before :attr:`start`: they had left and came back."""
        assert len(data) <= self.start
        self._data[:0] = data
        self.start -= len(data)

    def finish(self) -> None:
        """No byte follows."""
        self.ended = True

    def peek(self, offset: int, limit_bytes: int) -> tuple[int, bytes]:
        """Bytes from ``offset`` on, or from the first that is held; with their number."""
        at = min(max(offset, self.start), self.end)
        begin = at - self.start
        return at, bytes(memoryview(self._data)[begin : begin + limit_bytes])

    @contextmanager
    def lent(self, offset: int) -> Iterator[tuple[bytearray, int]]:
        """Where the bytes from ``offset`` on are: a buffer, which stays as it is, and a place."""
        assert self.start <= offset <= self.end
        with memoryview(self._data):  # as long as there is a view, nothing can be resized
            yield self._data, offset - self.start

    def forget(self, offset: int) -> None:
        """Bytes before ``offset`` are needed no more."""
        count = min(max(0, offset - self.start), len(self._data))
        del self._data[:count]
        self.start += count
