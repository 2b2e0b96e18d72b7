"""Writes of which the kernel is told that they are done while they are on their way to the server.

Worker and server then work at the same time, where a program that writes waited for one after the
other. What fails after it was said to be done is told by the next write of the same open file, and
by its next fsync(2) or close(2). A successor of this worker sends again what had no answer.

The server may carry out what is under way in any order, so no two of these overlap, and whatever
depends on them waits for them (:mod:`~nodeagent.filesystem.mount.ordering`).
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from nodeagent.filesystem.fuse import abi, replies, requests
from nodeagent.filesystem.fuse.requests import Header
from nodeagent.filesystem.mount.afterwards import when_all
from nodeagent.filesystem.mount.beliefs import Beliefs
from nodeagent.filesystem.mount.handles import Failure, File
from nodeagent.filesystem.mount.keptwrites import Kept, KeptWrites, Slot
from nodeagent.filesystem.mount.memory import Memory
from nodeagent.filesystem.mount.nodes import Key, Node
from nodeagent.filesystem.mount.reopening import Answered
from ssi.protocol import filereplies, filerequests
from ssi.protocol.filereplies import FileReply
from ssi.protocol.filerequests import MAX_DATA_BYTES, FileRequest
from ssi.transport.pace import Pace

MOST_BYTES: Final = 4 * MAX_DATA_BYTES
"""Of one mount, under way."""

LEAST_BYTES: Final = 4096
"""A smaller write waits for its answer: lines of a log, and whatever a shell writes, whose
``echo`` tells of a full disk, while the end of a redirection does not."""

_WAITS: Final = os.O_APPEND | os.O_SYNC | os.O_DSYNC | os.O_DIRECT
_NOBODY: Final = Header(0, 0, 0, 0, 0, 0)

_log: Final = logging.getLogger(__name__)


class Port(Protocol):
    """What is asked of a mount."""

    def reply(self, header: Header, *parts: bytes | memoryview) -> None:
        """Answers the kernel."""

    def fail(self, header: Header, error: int) -> None:
        """Answers the kernel with an errno."""

    def wait(self, header: Header) -> None:
        """A request waits for something that was asked already."""

    def waits(self, header: Header) -> bool:
        """Whether the kernel still wants an answer to it."""


class Server(Protocol):
    """What is asked of its side to the server."""

    @property
    def may_write_behind(self) -> bool:
        """Whether the server is there, as far as is known."""

    def ask_as(
        self, file: File, body: FileRequest, data: bytes | memoryview, then: Answered
    ) -> None:
        """Asks the server as whoever opened a file, whether the kernel waits or not."""


@dataclass(eq=False, slots=True)
class _Write:
    """One write.

    Attributes:
        is_told: The kernel was told that it is done.
        after: Called once it has been answered.
    """

    header: Header
    file: File
    offset: int
    strip: bool
    slot: Slot
    size: int
    is_told: bool = False
    sent_s: float = 0.0
    after: list[Callable[[], None]] = field(default_factory=list)

    def overlaps(self, other: _Write) -> bool:
        """Whether both write to some byte."""
        return (
            self.file.node is other.file.node
            and self.offset < other.offset + other.size
            and other.offset < self.offset + self.size
        )


class WriteBehind:
    """See the module.

    Args:
        port: The mount.
        server: Its side to the server.
        memory: Its open files, and what a successor knows of them.
        beliefs: What it believes of files.
        number: The mount's, for what is kept.
        kept: Where the bytes lie meanwhile.
    """

    def __init__(
        self,
        port: Port,
        server: Server,
        memory: Memory,
        beliefs: Beliefs,
        number: int,
        kept: KeptWrites,
    ) -> None:
        self._port = port
        self._server = server
        self._memory = memory
        self._beliefs = beliefs
        self._number = number
        self._kept = kept
        self._pace = Pace(MOST_BYTES)
        self._sent: list[_Write] = []
        self._sent_bytes = 0
        self._held: deque[_Write] = deque()
        self.is_busy = False
        """Whether there are any that have no answer."""

    def take(self, header: Header, file: File, body: requests.Write) -> bool:
        """Takes a write of the kernel; False where it has to wait for its answer."""
        if not self._suits(file, body):
            return False
        slot = self._kept.take()
        if slot is None:
            return False
        slot.fill(body.data)
        strip = bool(body.flags & abi.WRITE_KILL_SUIDGID)
        self._port.wait(header)
        self._add(_Write(header, file, body.offset, strip, slot, len(body.data)))
        return True

    def _suits(self, file: File, body: requests.Write) -> bool:
        # A file's first write waits: most small files have no other, and are closed at once.
        is_first, file.is_written = not file.is_written, True
        return not (
            is_first
            or len(body.data) < LEAST_BYTES
            or body.flags & abi.WRITE_CACHE
            or (file.flags | body.open_flags) & _WAITS
            or file.writes_through
            or file.is_lost
            or not self._server.may_write_behind
        )

    def when_answered(self, node: Node | None, then: Callable[[], None]) -> bool:
        """Calls ``then`` once those there are of an inode, or of all, have been answered.

        Returns:
            False where there are none; then it is not called.
        """
        awaited = [
            each for each in (*self._sent, *self._held) if node is None or each.file.node is node
        ]
        return when_all(awaited, then)

    def keys(self) -> set[Key]:
        """The files of all there are."""
        return {each.file.node.key for each in (*self._sent, *self._held)}

    def recover(self) -> None:
        """Sends again what an earlier worker had said is done."""
        for kept, slot in self._kept.left(self._number):
            file = self._memory.handles.files.get(kept.file)
            if file is None:
                self._kept.give(slot)
                continue
            write = _Write(_NOBODY, file, kept.offset, kept.strip, slot, kept.size, is_told=True)
            file.node.writes += 1
            self._send(write)
        if self._sent:
            _log.info("event=writes-sent-again count=%d", len(self._sent))

    def forget(self) -> None:
        """What an earlier worker has kept under this number is of another mount."""
        for _, slot in self._kept.left(self._number):
            self._kept.give(slot)

    def close(self) -> None:
        """The mount is no more, nor who could be told."""
        for write in (*self._sent, *self._held):
            self._kept.give(write.slot)
        self._sent.clear()
        self._held.clear()

    # One after the other

    def _add(self, write: _Write) -> None:
        write.file.node.writes += 1
        self._held.append(write)
        self.is_busy = True
        self._go_on()

    def _go_on(self) -> None:
        while self._held and self._has_room(self._held[0]):
            write = self._held.popleft()
            if not self._port.waits(write.header):  # its program was interrupted
                self._end(write)
                continue
            failure = write.file.failure
            if failure is not None and not failure.is_told_by_write:
                failure.is_told_by_write = True
                self._port.fail(write.header, failure.error)
                self._end(write)
                continue
            if self._server.may_write_behind and not write.file.writes_through:
                kept = Kept(self._number, write.file.number, write.offset, write.size, write.strip)
                write.slot.keep(kept)
                write.is_told = True
                write.file.node.note_written(write.offset + write.size)
                self._port.reply(write.header, replies.written(write.size))
                self._send(write)
            else:
                self._send(write)

    def _has_room(self, write: _Write) -> bool:
        if self._sent and self._sent_bytes + write.size > self._pace.allowed_bytes:
            return False
        return not any(write.overlaps(other) for other in self._sent)

    def _send(self, write: _Write) -> None:
        self.is_busy = True
        self._sent.append(write)
        self._sent_bytes += write.size
        write.sent_s = time.monotonic()

        def answered(error: int, reply: FileReply | None) -> None:
            if write in self._sent:  # else the mount has ended
                self._answered(write, error, reply)

        asked = filerequests.Write(write.file.handle, write.offset, write.strip)
        self._server.ask_as(write.file, asked, write.slot.data, answered)

    def _answered(self, write: _Write, error: int, reply: FileReply | None) -> None:
        self._pace.answered(write.size, time.monotonic() - write.sent_s)
        count = reply.value if isinstance(reply, filereplies.Count) else 0
        if not error and count < write.size:
            error = (isinstance(reply, filereplies.Count) and reply.error) or errno.EIO
        self._beliefs.changed(write.file.node)
        if write.is_told:
            if error:
                self._failed(write.file, error)
        elif self._port.waits(write.header):
            if count:
                self._port.reply(write.header, replies.written(count))
            else:
                self._port.fail(write.header, error or errno.EIO)
        self._sent.remove(write)
        self._sent_bytes -= write.size
        self._end(write)
        self._go_on()

    def _failed(self, file: File, error: int) -> None:
        _log.warning("event=write-lost mount=%d error=%d", self._number, error)
        file.writes_through = True
        if file.failure is None:
            file.failure = Failure(error)
            self._memory.opened(file)
            self._memory.save()

    def _end(self, write: _Write) -> None:
        write.file.node.writes -= 1
        self._kept.give(write.slot)
        self.is_busy = bool(self._sent or self._held)
        for then in write.after:
            then()
