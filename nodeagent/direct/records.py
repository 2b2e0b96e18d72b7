"""Sealed records over one connection: exact, in their order, or none at all.

A record is four bytes of length, so many of AES-256-GCM, and the tag. What is sealed is four bytes
that tell how long the message is, the message, and, from the next multiple of 16 on, the data that
belong to it. Each end numbers its records, and the number is the nonce: none can be repeated, left
out, turned round or sent back. The first one that is not authentic ends the connection.

It waits for nothing, and knows no loop: whoever has it calls when the connection is ready.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import Final

from nodeagent.direct.buffers import (
    LENGTH_BYTES,
    MAX_PLAIN_BYTES,
    Buffer,
    Buffers,
)
from nodeagent.mechanism.aesgcm import TAG_BYTES, Sealer, address_of

SMALL_BYTES: Final = 64 * 1024
"""A record up to here is taken from a buffer that many of them share."""

COPIED_BYTES: Final = 16 * 1024
"""Data up to here are joined with their message: a copy costs less than a second call."""

_LENGTH: Final = struct.Struct("<I")
_ALIGNED: Final = 16
_EXTRA: Final = LENGTH_BYTES + TAG_BYTES


class Broken(Exception):
    """The connection has ended, or what came over it was not sealed by its other end."""


@dataclass(slots=True)
class Record:
    """What came.

    Attributes:
        head: The message.
        data: What belongs to it. Without ``lent``, valid until the next is received.
        lent: Of which ``data`` are a part; whoever takes the record gives it back.
    """

    head: bytes
    data: memoryview
    lent: Buffer | None = None


@dataclass(slots=True)
class _Outgoing:
    """What of a record has not left yet."""

    rest: memoryview
    lent: Buffer | None


class Records:
    """One end. Sending and receiving may be done by two threads, each by one at a time.

    Args:
        connection: Non-blocking, and connected.
        buffers: Where large records are put.
        sealer: For what is sent.
        opener: For what is received.
    """

    def __init__(
        self, connection: socket.socket, buffers: Buffers, sealer: Sealer, opener: Sealer
    ) -> None:
        self._connection = connection
        self._buffers = buffers
        self._sealer, self._opener = sealer, opener
        self._out = Buffer(SMALL_BYTES + _EXTRA)
        self._unsent: deque[_Outgoing] = deque()
        self.unsent_bytes = 0
        """Of what was to be sent and has not left."""
        self._in = Buffer(SMALL_BYTES + _EXTRA)
        self._begin = self._end = 0
        self._large: Buffer | None = None
        self._large_end = self._large_needed = 0
        self._has_more = True

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
        self._sealer.close()
        self._opener.close()

    # Sending

    def send(self, head: bytes, data: bytes | memoryview = b"") -> None:
        """Sends, or keeps for :meth:`flush` what does not go out at once.

        Raises:
            Broken: It cannot be sent any more.
        """
        first = _LENGTH.pack(len(head)) + head
        if len(data):
            first += bytes(-len(first) % _ALIGNED)
        if len(data) <= COPIED_BYTES:
            first, data = first + bytes(data), b""
        size = len(first) + len(data)
        assert size <= MAX_PLAIN_BYTES
        lent = None if size <= SMALL_BYTES else self._buffers.take()
        buffer = lent or self._out
        _LENGTH.pack_into(buffer.view, 0, size)
        target = buffer.address + LENGTH_BYTES
        self._sealer.seal_both(first, len(first), _memory(data), len(data), target)
        self._pass_on(buffer.view[: size + _EXTRA], lent)

    def flush(self) -> None:
        """Sends on; all has left once :attr:`unsent_bytes` is 0.

        Raises:
            Broken: It cannot be sent any more.
        """
        while self._unsent:
            first = self._unsent[0]
            count = self._write(first.rest)
            self.unsent_bytes -= count
            if count < len(first.rest):
                first.rest = first.rest[count:]
                return
            self._unsent.popleft()
            if first.lent is not None:
                self._buffers.give(first.lent)

    def _pass_on(self, sealed: memoryview, lent: Buffer | None) -> None:
        count = 0 if self._unsent else self._write(sealed)
        if count == len(sealed):
            if lent is not None:
                self._buffers.give(lent)
            return
        rest = sealed[count:]
        self.unsent_bytes += len(rest)
        self._unsent.append(_Outgoing(rest if lent is not None else memoryview(bytes(rest)), lent))

    def _write(self, sealed: memoryview) -> int:
        try:
            return self._connection.send(sealed)
        except BlockingIOError:
            return 0
        except OSError as exc:
            raise Broken(str(exc)) from exc

    # Receiving

    def receive(self) -> Record | None:
        """The next record; None where no more has come, until the connection is readable again.

        Raises:
            Broken: There will be none any more.
        """
        while True:
            if self._large is None:
                record = self._next_small()
                if record is not None:
                    return record
            elif self._large_end == self._large_needed:
                return self._opened_large(self._large)
            if not self._has_more:
                self._has_more = True
                return None
            self._read()

    def _next_small(self) -> Record | None:
        held = self._end - self._begin
        if held < LENGTH_BYTES:
            self._make_room(LENGTH_BYTES)
            return None
        (size,) = _LENGTH.unpack_from(self._in.view, self._begin)
        if size > MAX_PLAIN_BYTES:
            raise Broken("too long")
        if size > SMALL_BYTES:
            self._move_to_large(size)
            return None
        if held < size + _EXTRA:
            self._make_room(size + _EXTRA)
            return None
        at = self._begin + LENGTH_BYTES
        self._begin += size + _EXTRA
        return self._opened(self._in, at, size)

    def _make_room(self, needed: int) -> None:
        """What is held moves to the front where the rest of it would not fit behind."""
        if self._begin == self._end:
            self._begin = self._end = 0
        elif self._begin + needed > len(self._in.view):
            held = bytes(self._in.view[self._begin : self._end])
            self._in.view[: len(held)] = held
            self._begin, self._end = 0, len(held)

    def _move_to_large(self, size: int) -> None:
        """A record that is larger than what many share is read to a place of its own."""
        large = self._buffers.take()
        held = min(self._end - self._begin, size + _EXTRA)
        large.view[:held] = self._in.view[self._begin : self._begin + held]
        self._begin += held
        self._large, self._large_end, self._large_needed = large, held, size + _EXTRA

    def _opened_large(self, large: Buffer) -> Record:
        self._large = None
        record = self._opened(large, LENGTH_BYTES, self._large_needed - _EXTRA)
        record.lent = large
        return record

    def _opened(self, buffer: Buffer, at: int, size: int) -> Record:
        place = buffer.address + at
        if size < LENGTH_BYTES or not self._opener.open(place, size, place):
            raise Broken("not authentic")
        (head_bytes,) = _LENGTH.unpack_from(buffer.view, at)
        head_end = LENGTH_BYTES + head_bytes
        if head_end > size:
            raise Broken("longer than it is")
        head = bytes(buffer.view[at + LENGTH_BYTES : at + head_end])
        data_at = head_end + -head_end % _ALIGNED
        return Record(head, buffer.view[at + min(data_at, size) : at + size])

    def _read(self) -> None:
        if self._large is None:
            into = self._in.view[self._end :]
        else:
            into = self._large.view[self._large_end : self._large_needed]
        try:
            count = self._connection.recv_into(into)
        except BlockingIOError:
            self._has_more = False
            return
        except OSError as exc:
            raise Broken(str(exc)) from exc
        if count == 0:
            raise Broken("its other end has closed it")
        # Less than there was room for: another call would say that there is nothing.
        self._has_more = count == len(into)
        if self._large is None:
            self._end += count
        else:
            self._large_end += count


def _memory(data: bytes | memoryview) -> int | bytes:
    if isinstance(data, bytes):
        return data
    return bytes(data) if data.readonly else address_of(data)
