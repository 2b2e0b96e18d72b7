"""Images on their way out: read in order, also while CRIU still writes them."""

from __future__ import annotations

import errno
import fnmatch
import os
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nodeagent.migration.describe import CHUNK_BYTES
from ssi.protocol.migration import Piece

PAGES: Final = "pages-*.img"
"""Images of memory: nearly all there is, and only ever appended to (CRIU ``page-xfer.c``)."""

HEAD_BYTES: Final = 4096
"""What of each piece of memory counts for its checksum."""

LOOK_S: Final = 0.004
"""Between two looks whether CRIU has written more."""


@dataclass(slots=True)
class ImageManifest:
    """Name, size and CRC-32 of each image file, filled while they are read.

    Each message is authenticated by CURVE already, whole; the checksum guards against our own
    mistakes, see :func:`checksum_of`.
    """

    entries: list[tuple[str, int, int]] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """Of all of them."""
        return sum(size for _name, size, _checksum in self.entries)


def checksum_of(name: str, data: bytes | memoryview, before: int) -> int:
    """The CRC-32 of an image, continued by the next piece of it.

    Of memory only the head of each piece counts. That finds a piece that is missing, doubled, in
    the wrong place or wrongly unpacked; what else could happen to a byte within one, CURVE's own
    code would refuse. To count all was a tenth of the work of a move (measured), while the job is
    frozen.
    """
    _part, _slash, last = name.rpartition("/")
    return zlib.crc32(data[:HEAD_BYTES] if fnmatch.fnmatch(last, PAGES) else data, before)


@dataclass(slots=True)
class ImageReader:
    """Reads the images of one dump.

    Attributes:
        top: The images of the move.
        part: Directory within, where CRIU writes these, and with which their names begin; empty:
            ``top`` itself.
        manifest: Of those that have been read to their end.
        written: Set once CRIU has written all and every image is as it will stay.
        given_up: Set when there was no dump after all.
    """

    top: Path
    part: str = ""
    manifest: ImageManifest = field(default_factory=ImageManifest)
    written: threading.Event = field(default_factory=threading.Event)
    given_up: threading.Event = field(default_factory=threading.Event)
    _read: dict[str, tuple[int, int]] = field(default_factory=dict)

    def give_up(self) -> None:
        """There is nothing to wait for any more."""
        self.given_up.set()
        self.written.set()

    def pieces(self) -> Iterator[Piece]:
        """Every byte of every image, those of each file in order; blocks while CRIU writes."""
        while not self.written.wait(LOOK_S):
            for name in fnmatch.filter(_files_in(self.top / self.part), PAGES):
                yield from self._pieces_of(self._full(name), partly=True)
        if self.given_up.is_set():
            return
        for name in _files_in(self.top / self.part):
            yield from self._pieces_of(self._full(name), partly=False)

    def _full(self, name: str) -> str:
        return f"{self.part}/{name}" if self.part else name

    def _pieces_of(self, name: str, *, partly: bool) -> Iterator[Piece]:
        """What has not been read of an image; ``partly``: in whole chunks, for it still grows."""
        offset, checksum = self._read.get(name, (0, 0))
        descriptor = os.open(f"{self.top}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            if partly:
                size -= (size - offset) % CHUNK_BYTES
            while offset < size and not self.given_up.is_set():
                chunk = os.pread(descriptor, min(CHUNK_BYTES, size - offset), offset)
                if not chunk:
                    raise OSError(errno.ENODATA, os.strerror(errno.ENODATA), name)
                checksum = checksum_of(name, chunk, checksum)
                self._read[name] = (offset + len(chunk), checksum)
                yield Piece(name, offset, chunk)
                offset += len(chunk)
        finally:
            os.close(descriptor)
        if not partly:
            if offset == 0:
                yield Piece(name, 0, b"")
            self.manifest.entries.append((name, offset, checksum))


def _files_in(directory: Path) -> list[str]:
    with os.scandir(directory) as found:
        return sorted(entry.name for entry in found if entry.is_file())
