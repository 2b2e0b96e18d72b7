"""The door: an agent's Unix socket for the people on its machine.

Who asks is who the kernel says (SO_PEERCRED, unix(7)), whatever the request claims.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ssi.model.errors import SsiError
from ssi.protocol.codec import BadMessage, decode_envelope, encode_envelope, make_failure
from ssi.protocol.envelope import MAX_CONTROL_FRAME_BYTES, Failure, Reply, Request
from ssi.transport.frames import read_frame, write_frame

_log = logging.getLogger(__name__)

_CREDENTIALS = struct.Struct("3i")
MAX_UNDER_WAY = 256
"""Requests of one connection that are worked on at a time; further ones wait unread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorUser:
    """Who stands at the door."""

    name: str
    uid: int


Answerer = Callable[[Request, DoorUser], Awaitable[Reply | Failure]]
"""Answers a request of that user; never raises SsiError."""


class _HungUp(Exception):
    """The asker left and wants no more answers; what mutates is finished all the same."""


class Door:
    """Serves connections until closed."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None

    async def open(self, path: Path, mode: int) -> None:
        """Listens at ``path`` with that mode, in the place of a socket that nobody serves."""
        with suppress(FileNotFoundError):
            path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old_umask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(old_umask)
        path.chmod(mode)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listener, limit=2 * 1024 * 1024, backlog=512
        )

    async def close(self) -> None:
        """Stops listening and drops every connection."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            user = _user_of(writer)
            async with asyncio.TaskGroup() as tasks:
                await self._serve_user(reader, writer, user, tasks)
                raise _HungUp
        except* _HungUp:
            pass
        except* (BadMessage, ConnectionError) as group:
            _log.info("event=door-closed reason=%s", group.exceptions[0])
        finally:
            writer.close()

    async def _serve_user(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        user: DoorUser,
        tasks: asyncio.TaskGroup,
    ) -> None:
        slots = asyncio.Semaphore(MAX_UNDER_WAY)
        while (frame := await read_frame(reader, MAX_CONTROL_FRAME_BYTES)) is not None:
            try:
                request = decode_envelope(frame)
            except SsiError as exc:
                write_frame(writer, encode_envelope(make_failure(b"", exc)))
                await writer.drain()
                return
            if not isinstance(request, Request):
                raise BadMessage(reason="a reply where a request belongs")
            await slots.acquire()
            tasks.create_task(self._work(request, user, writer, slots))

    async def _work(
        self,
        request: Request,
        user: DoorUser,
        writer: asyncio.StreamWriter,
        slots: asyncio.Semaphore,
    ) -> None:
        try:
            reply = await self._answer(request, user)
            write_frame(writer, encode_envelope(reply))
            await writer.drain()
        finally:
            slots.release()


def _user_of(writer: asyncio.StreamWriter) -> DoorUser:
    peer = writer.get_extra_info("socket")
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    try:
        return DoorUser(name=pwd.getpwuid(uid).pw_name, uid=uid)
    except KeyError:
        return DoorUser(name=str(uid), uid=uid)
