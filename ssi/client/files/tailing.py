"""The end of a file, and what is added to it, through rotation and broken links, as ``tail -F``."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from ssi.client.files.errors import FileFailed, FilesSilent
from ssi.client.files.remote import FileLost
from ssi.client.files.tree import OpenFile, Tree, label

POLL_S: Final = 0.25
"""So often it is asked whether something was added."""

BLOCK_BYTES: Final = 64 * 1024
READ_BYTES: Final = 256 * 1024

Note = Callable[[str], None]


@dataclass(slots=True)
class Tail:
    """One file that is followed.

    Attributes:
        place: Its path as it was asked for; what it leads to may change.
        note: Is told what happens to the file, in one line.
    """

    tree: Tree
    place: bytes
    note: Note
    _offset: int = 0
    _file: OpenFile | None = None
    _trouble: str = ""

    async def last(self, lines: int) -> AsyncIterator[bytes]:
        """Its last lines.

        Raises:
            OSError: It cannot be read.
            SsiError: Its machine cannot be asked.
        """
        path = await self.tree.resolve(self.place, follow=True)
        self._file = await self.tree.open(path)
        self._offset = await _start_of(self._file, self._file.attributes.size, lines)
        async for data in self._news():
            yield data

    async def follow(self) -> AsyncIterator[bytes]:
        """What is added from now on; it never ends.

        Raises:
            SsiError: It can never be read: it is no file.
        """
        while True:
            try:
                async for data in self._news():
                    yield data
                await asyncio.sleep(POLL_S)
                async for data in self._turn():
                    yield data
                self._tell("")
            except FileLost:  # its server was restarted
                await self._again()
            except (OSError, FilesSilent) as exc:
                self._refuse_directory(exc)
                self._tell(exc.strerror or str(exc) if isinstance(exc, OSError) else exc.what())
                await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        """Nothing is read any more."""
        if self._file is not None:
            await self._file.close()
            self._file = None

    async def _news(self) -> AsyncIterator[bytes]:
        while self._file is not None:
            data = bytes(await self._file.read(self._offset, READ_BYTES))
            if not data:
                return
            self._offset += len(data)
            yield data

    async def _turn(self) -> AsyncIterator[bytes]:
        """Turns to the file that has the name now; first comes the rest of the one that had it."""
        path = await self.tree.resolve(self.place, follow=True)
        found = await self.tree.look(path)
        if self._file is not None and self._file.attributes.identity == found.identity:
            if found.size < self._offset:
                self._offset = 0
                self.note(f"{self._name}: it was cut, and is read from its beginning")
            return
        fresh = await self.tree.open(path)
        if self._file is not None:
            async for data in self._news():
                yield data
            await self._file.close()
            self.note(f"{self._name}: another file has its name, and is read from its beginning")
        self._file, self._offset = fresh, 0

    async def _again(self) -> None:
        """Opens the same file once more, where it has its name yet."""
        lost, self._file = self._file, None
        path = await self.tree.resolve(self.place, follow=True)
        fresh = await self.tree.open(path)
        if lost is None or lost.attributes.identity != fresh.attributes.identity:
            self._offset = 0
        self._file = fresh

    def _refuse_directory(self, exc: Exception) -> None:
        if isinstance(exc, OSError) and exc.errno in {errno.EISDIR, errno.ENXIO, errno.ENOTDIR}:
            raise FileFailed(place=self._name, reason=exc.strerror or str(exc)) from exc

    def _tell(self, trouble: str) -> None:
        """Says once that it cannot be read, and once that it can again."""
        if trouble and not self._trouble:
            self.note(f"{self._name}: {trouble}; waiting for it")
        elif self._trouble and not trouble:
            self.note(f"{self._name}: it is there again")
        self._trouble = trouble

    @property
    def _name(self) -> str:
        return label(self.tree, self.place)


async def _start_of(file: OpenFile, size: int, lines: int) -> int:
    """Where the last lines begin. A line that has no end yet counts as one."""
    if lines <= 0:
        return size
    end, wanted = size, lines + 1
    while end > 0:
        begin = max(0, end - BLOCK_BYTES)
        block = bytes(await file.read(begin, end - begin))
        if end == size and not block.endswith(b"\n"):
            wanted -= 1
        at = len(block)
        while wanted:
            at = block.rfind(b"\n", 0, at)
            if at < 0:
                break
            wanted -= 1
        if not wanted:
            return begin + at + 1
        end = begin
    return 0
