"""Where the output of a job goes: memory for a foreground job, files for a detached one."""

from __future__ import annotations

from typing import Final, Protocol

from nodeagent.shim.stream import Stream

HISTORY_BYTES: Final = 256 * 1024
"""How much of a terminal's output is kept for who comes later: some hundred screens."""


class Sink(Protocol):
    """What an output stream is written to and read from."""

    @property
    def room(self) -> int:
        """How many bytes it takes now; 0 lets the job wait."""

    @property
    def ended(self) -> bool:
        """Whether no byte follows."""

    @property
    def end(self) -> int:
        """The number that the next byte will have."""

    def take(self, data: bytes) -> None:
        """Takes bytes; more than :attr:`room` where they would be lost otherwise."""

    def finish(self) -> None:
        """No byte follows."""

    def read(self, offset: int, limit_bytes: int, *, peek: bool) -> tuple[int, bytes]:
        """Bytes from ``offset`` on, or the first that there are; with their number.

        Bytes before ``offset`` may be forgotten, unless ``peek``.
        """


class MemorySink:
    """The bytes that no reader has confirmed yet."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    @property
    def room(self) -> int:
        return self.stream.room

    @property
    def ended(self) -> bool:
        return self.stream.ended

    @property
    def end(self) -> int:
        return self.stream.end

    def take(self, data: bytes) -> None:
        self.stream.append(data)

    def finish(self) -> None:
        self.stream.finish()

    def read(self, offset: int, limit_bytes: int, *, peek: bool) -> tuple[int, bytes]:
        if not peek:
            self.stream.forget(offset)
        return self.stream.peek(offset, limit_bytes)


class TerminalSink:
    """The last bytes that a terminal was shown, also those that a viewer has confirmed.

    Attributes:
        awaited: A viewer is there or about to come back: what it has not confirmed is not dropped,
            and the job waits instead. With nobody there the job never waits.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.awaited = True
        self._confirmed = stream.start

    @property
    def room(self) -> int:
        if self.ended:
            return 0
        unconfirmed = self.end - self._confirmed if self.awaited else 0
        return max(0, HISTORY_BYTES - unconfirmed)

    @property
    def ended(self) -> bool:
        return self.stream.ended

    @property
    def end(self) -> int:
        return self.stream.end

    def take(self, data: bytes) -> None:
        self.stream.append(data)
        oldest = self.end - HISTORY_BYTES
        self.stream.forget(min(oldest, self._confirmed) if self.awaited else oldest)

    def finish(self) -> None:
        self.stream.finish()

    def read(self, offset: int, limit_bytes: int, *, peek: bool) -> tuple[int, bytes]:
        if not peek:
            self._confirmed = max(self._confirmed, min(offset, self.end))
        return self.stream.peek(offset, limit_bytes)
