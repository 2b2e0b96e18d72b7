"""A job's handle gets a channel while it is wanted, and does without one while there is none."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final

from nodeagent.mechanism.aesgcm import CipherMissing
from ssi.client.channel import Channel
from ssi.model.errors import SsiError
from ssi.model.job import Terminal
from ssi.protocol.jobs import StreamData

FIRST_PAUSE_S: Final = 1.0
VAIN_FACTOR: Final = 8.0
LONGEST_PAUSE_S: Final = 3600.0
"""Between tries: a firewall that drops what it does not know does so for long."""


class Hastening:
    """See the module. Begins at once, or after a pause.

    Args:
        open_one: Opens a channel to where the job is now.
        after_s: Nothing is sought before: a job that ends sooner needs none.
        clock: In seconds.
        sleep: Waits for so many of them.
    """

    def __init__(
        self,
        open_one: Callable[[], Awaitable[Channel]],
        after_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._open_one = open_one
        self._clock = clock
        self._sleep = sleep
        self._channel: Channel | None = None
        self._opened = asyncio.Event()
        self._opened_s = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._due_s = self._clock() + after_s
        self._seeking: asyncio.Task[None] | None = None
        self._problem = "a way of their own is being sought"
        self._seek()

    @property
    def way(self) -> str:
        """How keys go now, for who asks."""
        if self._channel is not None and not self._channel.is_over:
            return "keys go straight to the job"
        return f"keys go through the agents: {self._problem}"

    def end(self) -> None:
        """No channel is wanted any more."""
        self._due_s = math.inf
        if self._seeking is not None:
            self._seeking.cancel()
        if self._channel is not None:
            self._channel.close()

    async def read(
        self, offset: int, wait_s: float, ask: Callable[[], Awaitable[StreamData]]
    ) -> StreamData:
        """Output from ``offset`` on: by the channel, or by a request until there is one."""
        while True:
            channel = self._usable()
            if channel is not None:
                data = await channel.read(offset, wait_s)
                if data is not None:
                    return StreamData(offset=offset, data=data, ended=False)
                continue
            asking = asyncio.ensure_future(ask())
            opening = asyncio.ensure_future(self._opened.wait())
            try:
                await asyncio.wait({asking, opening}, return_when=asyncio.FIRST_COMPLETED)
                if asking.done():
                    return asking.result()
            finally:
                for task in (asking, opening):
                    task.cancel()
                await asyncio.gather(asking, opening, return_exceptions=True)

    async def write(self, offset: int, data: bytes, size: Terminal | None) -> int | None:
        """Up to where input was taken; None: it must be given by a request."""
        channel = self._usable()
        if channel is None or not channel.has_begun or not data:
            return None
        return await channel.write(offset, data, size)

    def _usable(self) -> Channel | None:
        if self._channel is not None and self._channel.is_over:
            self._channel = None
            self._opened.clear()
            lived_s = self._clock() - self._opened_s
            self._rest(vain=lived_s < FIRST_PAUSE_S)
        if self._channel is None:
            self._seek()
        return self._channel

    def _rest(self, *, vain: bool) -> None:
        longer_s = min(self._pause_s * VAIN_FACTOR, LONGEST_PAUSE_S)
        self._pause_s = longer_s if vain else FIRST_PAUSE_S
        if self._due_s < math.inf:
            self._due_s = self._clock() + self._pause_s

    def _seek(self) -> None:
        if self._seeking is None and self._due_s < math.inf:
            self._seeking = asyncio.ensure_future(self._seek_one())

    async def _seek_one(self) -> None:
        try:
            await self._sleep(max(0.0, self._due_s - self._clock()))
            self._channel = await self._open_one()
            self._opened_s = self._clock()
            self._opened.set()
        except (SsiError, OSError, CipherMissing) as exc:  # a TimeoutError is an OSError
            self._problem = _reason(exc)
            self._rest(vain=True)
        finally:
            self._seeking = None


def _reason(error: SsiError | OSError | CipherMissing) -> str:
    match error:
        case SsiError():
            return error.what()
        case CipherMissing():
            return "no OpenSSL is found on this machine"
        case TimeoutError():
            return "the job's node lets no connection through"
        case _:
            return f"no connection to the job's node: {error.strerror or error}"
