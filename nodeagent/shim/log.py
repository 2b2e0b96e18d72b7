"""The log of one output stream of a detached job: a file, from the first byte up to a limit.

A job never waits for its log and never fails by it: what is over the limit, or does not fit on the
disk, is thrown away, and the log says so at its end.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

_ROOM_BYTES: Final = 1024 * 1024
_log: Final = logging.getLogger(__name__)


def truncation_note(limit_bytes: int) -> bytes:
    """The last line of a log that reached its limit."""
    return f"\n[ssi: log limit of {limit_bytes} bytes reached, the rest is not kept]\n".encode()


def failure_note(reason: str) -> bytes:
    """The last line of a log that could not be written."""
    return f"\n[ssi: log cannot be written: {reason}, the rest is not kept]\n".encode()


class Log:
    """A :class:`~nodeagent.shim.sink.Sink` that keeps everything in a file.

    Attributes:
        note: The last line, once the log takes no more. A full disk may have no room for it, so
            it is kept here and served as if it stood in the file.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        """Creates the file, or goes on behind what is in it.

        A file that cannot be opened leaves a log with nothing but a note.
        """
        self.path = path
        self.note = b""
        self.ended = False
        self._limit_bytes = limit_bytes
        self._file: int | None = None
        self._size = 0
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(path, flags, 0o600)
            self._size = os.fstat(self._file).st_size
        except OSError as exc:
            self._close_with(failure_note(exc.strerror or str(exc)))

    @property
    def room(self) -> int:
        """Always plenty: the job must not wait."""
        return 0 if self.ended else _ROOM_BYTES

    @property
    def end(self) -> int:
        """The size of the log with its note."""
        return self._size + len(self.note)

    def take(self, data: bytes) -> None:
        """Writes what is within the limit."""
        if self.note or self._file is None:
            return
        kept = data[: self._limit_bytes - self._size]
        try:
            while kept:
                written = os.pwrite(self._file, kept, self._size)
                self._size += written
                kept = kept[written:]
                data = data[written:]
        except OSError as exc:
            self._close_with(failure_note(exc.strerror or str(exc)))
            return
        if data:
            self._close_with(truncation_note(self._limit_bytes))

    def finish(self) -> None:
        """The log is complete, and its note is in the file if there is room."""
        if self.ended:
            return
        self.ended = True
        if self.note and self._file is not None:
            try:
                os.pwrite(self._file, self.note, self._size)
            except OSError as exc:
                _log.warning("event=log-note-lost path=%s reason=%s", self.path, exc.strerror)

    def read(self, offset: int, limit_bytes: int, *, peek: bool) -> tuple[int, bytes]:
        """Bytes from ``offset`` on; a log forgets nothing, so ``peek`` does not matter."""
        at = min(max(0, offset), self.end)
        if at < self._size and self._file is not None:
            try:
                return at, os.pread(self._file, min(limit_bytes, self._size - at), at)
            except OSError as exc:
                _log.warning("event=log-unreadable path=%s reason=%s", self.path, exc.strerror)
                return self.end, b""
        begin = at - self._size
        return at, self.note[begin : begin + limit_bytes]

    def content(self) -> bytes:
        """The bytes of the job that were kept, without the note."""
        return self.read(0, self._size, peek=True)[1] if self._size else b""

    def adopt(self, content: bytes, note: bytes) -> None:
        """Becomes what the log of the same job was on another node."""
        self.note = b""
        if self._file is not None:
            os.ftruncate(self._file, 0)
        self._size = 0
        self.take(content)
        self.note = note

    def _close_with(self, note: bytes) -> None:
        if not self.note:
            self.note = note
            _log.info("event=log-closed path=%s size=%d", self.path, self._size)
