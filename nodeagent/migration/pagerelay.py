"""Between CRIU, which asks for memory of a job that runs here already, and the node that has it.

CRIU speaks the protocol of its page server on a Unix socket of the job; what it wants is had over
the mesh, as any other request. Source: CRIU 4.2 ``criu/page-xfer.c``.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nodeagent.job import Job
from nodeagent.peers import Peers
from nodeagent.shim.messages import Lose, Ok
from ssi.model.errors import SsiError
from ssi.model.job import JobState
from ssi.protocol.envelope import BULK_CHUNK_BYTES
from ssi.protocol.migration import EndLoan, GetPages, Pages
from ssi.protocol.refusals import LinkDown, LinkRefused, TimedOut

_log = logging.getLogger(__name__)

HEADER: Final = struct.Struct("=IxxxxQQQ")
"""Command, number of pages, address and pid: ``struct page_server_iov``."""

GET: Final = 7
ADD_PRESENT: Final = 6 | 1 << 2 << 16
CLOSES: Final = frozenset({0x1023, 0x1024})
PAGE_BYTES: Final = 4096
MAX_BYTES: Final = 64 * 1024 * 1024

GIVE_UP_S: Final = 10.0
"""A source that cannot be reached for so long is lost, and what it had with it."""

ASK_TIMEOUT_S: Final = 10.0
RETRY_S: Final = 0.5

STALLED_S: Final = 30.0
"""CRIU asks for one piece after the other: one that asks for none for so long never will. Well
before the source gives up (:mod:`~nodeagent.migration.loan`), which cannot end the job here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Memory that CRIU asks for."""

    pid: int
    address: int
    size_bytes: int


class PageRelay:
    """Serves one job.

    Args:
        peers: Links to the others.
        source: The node that has the memory.
        key: Names the move: first gpid and epoch.
        lost: Called, and awaited, when memory cannot be had, before CRIU is told.
        done: Called when CRIU wants no more.
    """

    def __init__(
        self,
        peers: Peers,
        source: str,
        key: tuple[int, int],
        lost: Callable[[str], Awaitable[None]],
        done: Callable[[], Awaitable[None]],
    ) -> None:
        self._peers = peers
        self._source = source
        self._key = key
        self._lost = lost
        self._done = done
        self._server: asyncio.Server | None = None

    async def open(self, path: Path) -> None:
        """Listens there, for one CRIU.

        Raises:
            OSError: It cannot.
        """
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, path)
        path.chmod(0o600)

    def close(self) -> None:
        """Listens no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.close()
        try:
            while (wanted := await self._next(reader)) is not None:
                pages = await self._fetch(wanted)
                count = wanted.size_bytes // PAGE_BYTES
                header = HEADER.pack(ADD_PRESENT, count, wanted.address, wanted.pid)
                # Not by writelines: before Python 3.13.8, that of a connection which is lost leaves
                # its descriptor with the loop, and the next one of that number is never read.
                # Source: https://github.com/python/cpython/issues/136234
                writer.write(b"".join((header, *pages)))
                await writer.drain()
            writer.write(bytes(4))  # how CRIU's page server says that all was well
            await writer.drain()
        except SsiError as exc:
            await self._lost(f"{self._source} does not give it: {exc.what()}")
        except TimeoutError:  # which is an OSError
            await self._lost("criu, which brings its memory, does not ask for it any more")
        except (OSError, EOFError):
            await self._lost("criu, which brings its memory, ended")
        else:
            await self._done()
        finally:
            writer.close()

    async def _next(self, reader: asyncio.StreamReader) -> Wanted | None:
        """What is asked for next; None: nothing more is.

        Raises:
            EOFError: CRIU is gone.
            TimeoutError: It asks for nothing, and does not say that this was all.
        """
        async with asyncio.timeout(STALLED_S):
            header = await reader.readexactly(HEADER.size)
        command, count, address, pid = HEADER.unpack(header)
        if command in CLOSES:
            return None
        if command != GET or not 0 < count <= MAX_BYTES // PAGE_BYTES:
            raise EOFError
        return Wanted(pid=pid, address=address, size_bytes=count * PAGE_BYTES)

    async def _fetch(self, wanted: Wanted) -> list[bytes]:
        """The memory, in pieces that fit into a message, several of them under way at once."""
        end = wanted.address + wanted.size_bytes
        starts = range(wanted.address, end, BULK_CHUNK_BYTES)
        return await asyncio.gather(
            *(self._get(wanted.pid, start, min(BULK_CHUNK_BYTES, end - start)) for start in starts)
        )

    async def _get(self, pid: int, address: int, size_bytes: int) -> bytes:
        """One piece; asked for again while the source cannot be reached, for a while."""
        gpid, epoch = self._key
        body = GetPages(gpid=gpid, epoch=epoch, pid=pid, address=address, size_bytes=size_bytes)
        give_up_at_s = asyncio.get_running_loop().time() + GIVE_UP_S
        while True:
            try:
                reply = await self._peers.ask(self._source, body, timeout_s=ASK_TIMEOUT_S)
                assert isinstance(reply, Pages), reply
                return reply.data
            except (LinkDown, LinkRefused, TimedOut) as exc:
                if asyncio.get_running_loop().time() > give_up_at_s:
                    raise
                _log.info("event=pages-not-had gpid=%d reason=%s", gpid, exc)
                await asyncio.sleep(RETRY_S)


async def borrow(peers: Peers, job: Job, source: str, path: Path) -> None:
    """From now on CRIU can ask there for memory of an arriving job; see :class:`PageRelay`.

    Raises:
        OSError: It cannot.
    """
    key = (job.row.gpid, job.row.epoch)

    async def end(problem: str) -> None:
        request = EndLoan(gpid=key[0], epoch=key[1], problem=problem)
        try:
            await peers.ask(source, request, timeout_s=ASK_TIMEOUT_S)
        except SsiError as exc:
            # It lets go of the job by itself when nobody asks any more.
            _log.warning("event=loan-end-not-told gpid=%d reason=%s", key[0], exc)
        job.arriving = False

    async def lost(reason: str) -> None:
        if await _has_exited(job):
            await end("")  # it needs no memory any more
            return
        with suppress(SsiError):
            await job.shim().ask(Lose(reason=reason), Ok, ASK_TIMEOUT_S)
        await end(reason)

    async def done() -> None:
        await end("")

    job.arriving = True
    await PageRelay(peers, source, key, lost, done).open(path)


async def _has_exited(job: Job) -> bool:
    """Whether a job has ended, or is about to, as it would have ended with all of its memory."""
    if await job.is_ending():
        with suppress(TimeoutError):
            await asyncio.wait_for(job.ended.wait(), ASK_TIMEOUT_S)
    return job.row.state is JobState.EXITED
