"""A stream of a job: bytes numbered from its first one, of which the shim holds a few. Pure.

The writer asks for :attr:`Stream.room` first, and waits where there is none; so a reader that does
not read lets the writer wait, as a pipe does. Bytes taken back or drained from a pipe may exceed
the limit, once, because they must not be lost.

What is held lies in pieces. One buffer, taken from in front and added to behind, is copied whole
each time that it grows (bytearray does so), which cost more than all else that was done with it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from nodeagent.shim.messages import STREAM_BUFFER_BYTES

_PIECE_BYTES: Final = 64 * 1024
"""Smaller ones are gathered to pieces of about that size."""


class Stream:
    """The bytes from :attr:`start` up to :attr:`end`; ``ended``: none will follow.

    Attributes:
        limit_bytes: Of what is held before the writer waits.
    """

    def __init__(self, start: int = 0, limit_bytes: int = STREAM_BUFFER_BYTES) -> None:
        self.start = start
        self.ended = False
        self.limit_bytes = limit_bytes
        self._pieces: deque[bytes | bytearray] = deque()
        self._skipped = 0  # of the first piece: forgotten already
        self._held = 0

    def __repr__(self) -> str:
        return f"Stream({self.start}..{self.end}{' ended' if self.ended else ''})"

    @property
    def end(self) -> int:
        """The number that the next byte will have."""
        return self.start + self._held

    @property
    def held(self) -> int:
        """How many bytes are held."""
        return self._held

    @property
    def room(self) -> int:
        """How many bytes may be appended now."""
        return 0 if self.ended else max(0, self.limit_bytes - self._held)

    def append(self, data: bytes | memoryview) -> None:
        """Adds bytes at the end."""
        assert not self.ended
        if not data:
            return
        self._held += len(data)
        last = self._pieces[-1] if self._pieces else b""
        if isinstance(last, bytearray) and len(last) + len(data) <= _PIECE_BYTES:
            last += data
        elif len(data) >= _PIECE_BYTES // 2:
            self._pieces.append(bytes(data))
        else:
            self._pieces.append(bytearray(data))

    def pass_by(self, count: int) -> None:
        """So many bytes came and went, and were never held."""
        assert not self.ended and not self._held
        self.start += count

    def put_back(self, data: bytes) -> None:
        """Adds bytes before :attr:`start`: they had left and came back."""
        assert len(data) <= self.start
        if self._skipped:
            self._pieces[0] = self._pieces[0][self._skipped :]
            self._skipped = 0
        if data:
            self._pieces.appendleft(data)
        self._held += len(data)
        self.start -= len(data)

    def finish(self) -> None:
        """No byte follows."""
        self.ended = True

    def peek(self, offset: int, limit_bytes: int) -> tuple[int, bytes]:
        """Bytes from ``offset`` on, or from the first that is held; with their number."""
        at = min(max(offset, self.start), self.end)
        found: list[memoryview] = []
        before, wanted = self._skipped + at - self.start, limit_bytes
        for piece in self._pieces:
            if wanted <= 0:
                break
            if before < len(piece):
                found.append(memoryview(piece)[before : before + wanted])
                wanted -= len(found[-1])
            before = max(0, before - len(piece))
        return at, b"".join(found)

    def piece_at(self, offset: int) -> tuple[bytes | bytearray, int]:
        """The piece that has byte ``offset``, and where in it: nothing is copied."""
        assert self.start <= offset < self.end
        before = self._skipped + offset - self.start
        for piece in self._pieces:
            if before < len(piece):
                return piece, before
            before -= len(piece)
        raise AssertionError(self)

    def forget(self, offset: int) -> None:
        """Bytes before ``offset`` are needed no more."""
        count = min(max(0, offset - self.start), self._held)
        self.start += count
        self._held -= count
        self._skipped += count
        while self._pieces and self._skipped >= len(self._pieces[0]):
            self._skipped -= len(self._pieces.popleft())
