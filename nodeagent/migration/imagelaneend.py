"""The end of an image lane that receives: it waits for one peer, who has to have the key."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

from nodeagent.direct.buffers import Buffers
from nodeagent.direct.records import Broken, Records
from nodeagent.direct.sockets import listen
from nodeagent.mechanism.aesgcm import KEY_BYTES, CipherMissing, Sealer, is_supported
from nodeagent.migration.imagelane import (
    TO_DESTINATION,
    TO_SOURCE,
    Part,
    Parts,
    prepare,
    receive_parts,
    send_parts,
)
from ssi.model.errors import SsiError
from ssi.model.shim import RestoreFailed
from ssi.protocol.migration import ImageLane

AWAITED_S: Final = 10.0
"""How long the source is waited for: it connects as soon as it has been told where."""

LAST_S: Final = 30.0
"""How long the last of the images may take, once the source has said that it sent them."""

CLOSING_S: Final = 5.0
"""For one piece to be written; the thread ends after it."""

Take: TypeAlias = Callable[[Part, memoryview], None]

_log: Final = logging.getLogger(__name__)


class LaneEnd:
    """Listens on any port of this machine until somebody connects; then it is closed to others.

    One thread does all of it, and this process does not wait for it to end.

    Args:
        take: Called with each part of a file or an image, in that thread; may raise an
            :class:`SsiError`.

    Raises:
        OSError: No port is free.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._key = os.urandom(KEY_BYTES)  # the module of secrets would load OpenSSL now
        self._listener = listen("*", 0)
        self._port: int = self._listener.getsockname()[1]
        self._connection: socket.socket | None = None
        self._refusal: SsiError | None = None
        self._ended = asyncio.Event()
        self._complete = False
        self._closed = False
        threading.Thread(target=self._run, name="image-lane", daemon=True).start()

    @property
    def offer(self) -> ImageLane:
        """What the source has to know."""
        return ImageLane(self._port, self._key, files=True)

    async def wait(self) -> None:
        """All images are there.

        Raises:
            SsiError: They are not, and will not be.
        """
        await self._wait(LAST_S)
        self.check()
        if not self._complete:
            raise RestoreFailed(reason="its images did not come to an end")

    def check(self) -> None:
        """All that came was taken.

        Raises:
            SsiError: Of what was not.
        """
        if self._refusal is not None:
            raise self._refusal

    async def close(self) -> None:
        """Nothing is taken any more once this has returned; harmless twice."""
        self._closed = True
        for each in (self._listener, self._connection):
            if each is not None:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        await self._wait(CLOSING_S)

    async def _wait(self, within_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._ended.wait()

    def _run(self) -> None:
        try:
            with self._accept() as connection:
                self._receive(connection)
        except (OSError, Broken, CipherMissing, SsiError) as exc:
            _log.info("event=image-lane-ended port=%d reason=%s", self._port, exc)
        finally:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._ended.set)

    def _accept(self) -> socket.socket:
        with self._listener as listener:
            listener.settimeout(AWAITED_S)
            connection, _ = listener.accept()
        self._connection = connection
        if self._closed:  # before it could be shut down
            connection.close()
        return connection

    def _receive(self, connection: socket.socket) -> None:
        prepare(connection)
        buffers = Buffers()
        sealer, opener = Sealer(self._key, TO_SOURCE), Sealer(self._key, TO_DESTINATION)
        records = Records(connection, buffers, sealer, opener)
        try:
            receive_parts(records)
            send_parts(records, Parts())
            connection.settimeout(None)  # a dump may take its time; a cut link is noticed
            is_last = False
            while not is_last:
                message, record = receive_parts(records)
                at = 0
                for part in message.parts:
                    self._take(part, record.data[at : at + part.size])
                    at += part.size
                if record.lent is not None:
                    buffers.give(record.lent)
                if message.asks:
                    send_parts(records, Parts())
                is_last = message.is_last
            self._complete = True
        except SsiError as exc:  # known before the other end can ask
            self._refusal = exc
            raise
        finally:
            records.close()


def offer_lane(take: Take) -> LaneEnd | None:
    """An end that waits; None where this machine cannot have one, and images go over CURVE."""
    if not is_supported():
        return None
    try:
        return LaneEnd(take)
    except OSError as exc:
        _log.warning("event=no-image-lane reason=%s", exc)
        return None
