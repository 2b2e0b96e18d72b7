"""What comes in once and is read by many, each at its own pace: stdin for all nodes."""

from __future__ import annotations

import asyncio
import tempfile
from types import TracebackType
from typing import Final, Self

from ssi.client.attachment import READ_BYTES, Source

SPOOLED_IN_MEMORY_BYTES: Final = 4 * 1024 * 1024
"""Beyond that it goes to a file without a name."""


class Spool:
    """Bytes from a source, kept until the last reader is through."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed in __aexit__
            max_size=SPOOLED_IN_MEMORY_BYTES
        )
        self._size_bytes = 0
        self._at_end = False
        self._more = asyncio.Condition()
        self._filling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._filling = asyncio.create_task(self._fill())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        self._file.close()

    def reader(self) -> Source:
        """A source that gives all of it from the first byte on."""
        offset = 0

        async def read() -> bytes:
            nonlocal offset
            async with self._more:
                await self._more.wait_for(lambda: offset < self._size_bytes or self._at_end)
            self._file.seek(offset)
            data = self._file.read(READ_BYTES)
            offset += len(data)
            return data

        return read

    async def _fill(self) -> None:
        try:
            while data := await self._source():
                async with self._more:
                    self._file.seek(self._size_bytes)
                    self._file.write(data)
                    self._size_bytes += len(data)
                    self._more.notify_all()
        finally:
            self._at_end = True
            async with self._more:
                self._more.notify_all()
