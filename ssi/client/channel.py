"""A client's end of a channel to the shim of its job: see :mod:`ssi.protocol.channel`."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Self

from nodeagent.mechanism.aesgcm import KEY_BYTES, CipherMissing, Sealer
from nodeagent.mechanism.sealedpeer import SealedPeer
from nodeagent.mechanism.tcpsilence import prepare
from ssi.client.system import System
from ssi.model.job import Terminal
from ssi.protocol.channel import (
    CLIENT_TO_SHIM,
    MOST_INPUT_BYTES,
    SHIM_TO_CLIENT,
    OpenChannel,
    ToShim,
    pack_to_shim,
    unpack_to_client,
)
from ssi.protocol.pipes import LaneOpened
from ssi.protocol.refusals import NodeUnknown

OPEN_S: Final = 2.0
"""How long the shim awaits its client, and the client the connection."""

_MOST_HELD_BYTES: Final = 1024 * 1024
"""Received and not read: more is left to wait in the connection."""

_CONFIRM_AFTER_BYTES: Final = 32 * 1024
_CONFIRM_S: Final = 0.1
"""The shim is told that output has arrived with the next key, after so many bytes, or so soon."""


class Channel:
    """An open channel. One task reads and one writes.

    Args:
        connected: To the shim.
        key: Of this channel alone.

    Raises:
        CipherMissing: This machine cannot seal.
    """

    def __init__(self, connected: socket.socket, key: bytes) -> None:
        self._wanted = -1
        self._confirmed = 0
        self._held = bytearray()
        self._taken = -1
        self._changed = asyncio.Event()
        self._confirming: asyncio.TimerHandle | None = None
        sealer, opener = Sealer(key, CLIENT_TO_SHIM), Sealer(key, SHIM_TO_CLIENT)
        self._peer = SealedPeer(
            _Watch(asyncio.get_running_loop()),
            connected,
            sealer,
            opener,
            on_frame=self._on_frame,
            on_room=self._confirm,
            on_gone=self._changed.set,
        )

    @classmethod
    async def open(cls, system: System, node: str, gpid: int, writer: bytes, *, peek: bool) -> Self:
        """Connects to the shim of a job.

        Raises:
            SsiError: Its node does not want to.
            OSError: There is no way to it.
            TimeoutError: Likewise.
            CipherMissing: This machine cannot seal.
        """
        key = os.urandom(KEY_BYTES)
        request = OpenChannel(gpid=gpid, writer=writer, key=key, peek=peek)
        rows = (await system.nodes()).rows
        address = next((row.address for row in rows if row.name == node), "")
        if not address:
            raise NodeUnknown(node=node)
        reply = await system.ask(request, LaneOpened, node=node, timeout_s=OPEN_S)
        async with asyncio.timeout(OPEN_S):
            connected = await dial(address, reply.port)
        try:
            return cls(connected, key)
        except CipherMissing:
            connected.close()
            raise

    @property
    def is_over(self) -> bool:
        """Whether it carries nothing any more."""
        return not self._peer.open

    @property
    def has_begun(self) -> bool:
        """Whether output has been asked for."""
        return self._wanted >= 0

    def close(self) -> None:
        """Ends it. Harmless twice."""
        if self._confirming is not None:
            self._confirming.cancel()
        self._peer.close()
        self._changed.set()

    async def read(self, offset: int, wait_s: float) -> bytes | None:
        """Output from ``offset`` on, empty after ``wait_s`` without any; None: ask by a request."""
        if self.is_over:
            return None
        if self._wanted < 0:
            self._wanted = self._confirmed = offset
            self._say(ToShim(wanted=offset))
        if offset != self._wanted:
            self.close()
            return None
        if offset - self._confirmed >= _CONFIRM_AFTER_BYTES:
            self._confirm()
        elif offset > self._confirmed and self._confirming is None:
            loop = asyncio.get_running_loop()
            self._confirming = loop.call_later(_CONFIRM_S, self._confirm)
        try:
            async with asyncio.timeout(wait_s):
                if not self._held and not await self._until(lambda: bool(self._held)):
                    return None
        except TimeoutError:
            return b""
        data = bytes(self._held)
        self._held.clear()
        self._wanted += len(data)
        self._peer.read_frames(wanted=True)
        return data

    async def write(self, offset: int, data: bytes, size: Terminal | None) -> int | None:
        """Up to where input was taken that begins at ``offset``; None: give it by a request."""
        assert self.has_begun and data
        rows, columns = (size.rows, size.columns) if size is not None else (0, 0)
        said = ToShim(
            wanted=0,
            offset=offset,
            rows=rows,
            columns=columns,
            data=data[:MOST_INPUT_BYTES],
        )
        if not await self._until(lambda: self._peer.may_send):  # else a confirmation is leaving
            return None
        self._say(replace(said, wanted=self._wanted))
        return self._taken if await self._until(lambda: self._taken > offset) else None

    async def _until(self, happened: Callable[[], bool]) -> bool:
        """Waits until something is so; False where it will never be."""
        while not self.is_over:
            if happened():
                return True
            self._changed.clear()
            await self._changed.wait()
        return False

    def _confirm(self) -> None:
        """Says what has arrived, when that can be said."""
        if self._confirming is not None:
            self._confirming.cancel()
            self._confirming = None
        self._changed.set()
        if self._confirmed < self._wanted and self._peer.may_send:
            self._say(ToShim(wanted=self._wanted))

    def _say(self, said: ToShim) -> None:
        frame = pack_to_shim(said)
        self._confirmed = self._wanted
        self._peer.send(frame, 0, len(frame))

    def _on_frame(self, data: memoryview) -> None:
        said = unpack_to_client(data)
        if said is None or said.offset != self._wanted + len(self._held):
            self.close()
            return
        self._held += said.data
        self._taken = max(self._taken, said.taken)
        if len(self._held) >= _MOST_HELD_BYTES:
            self._peer.read_frames(wanted=False)
        self._changed.set()


class _Watch:
    """Sockets on asyncio's loop, as a :class:`~nodeagent.mechanism.sealedpeer.Watcher`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watched: tuple[object, object] = (None, None)

    def watch(
        self,
        descriptor: int,
        readable: Callable[[], None] | None = None,
        writable: Callable[[], None] | None = None,
    ) -> None:
        """See there."""
        before, self._watched = self._watched, (readable, writable)
        if before[0] != readable:
            if readable is not None:
                self._loop.add_reader(descriptor, readable)
            else:
                self._loop.remove_reader(descriptor)
        if before[1] != writable:
            if writable is not None:
                self._loop.add_writer(descriptor, writable)
            else:
                self._loop.remove_writer(descriptor)


async def dial(address: str, port: int) -> socket.socket:
    """A connection that does not block, and that notices when it is cut.

    Raises:
        OSError: There is none to be had.
    """
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, target = (
        await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    )[0]
    connecting = socket.socket(family, kind, protocol)
    try:
        prepare(connecting, idle_s=5, again_s=2, unsent_ms=10_000)
        await loop.sock_connect(connecting, target)
    except BaseException:
        connecting.close()
        raise
    return connecting
