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


@dataclass(eq=False, kw_only=True)
class DoorUnusable(SsiError):
    """An agent cannot open its door."""

    word = "door-unusable"
    exit_code = 11
    path: str
    reason: str

    def what(self) -> str:
        return f"cannot listen at {self.path}: {self.reason}"

    def advice(self) -> str:
        return "SSI_RUNTIME_DIR names another directory for it; a path has at most 107 bytes"


Answerer = Callable[[Request, DoorUser], Awaitable[Reply | Failure]]
"""Answers a request of that user; never raises SsiError."""


class _HungUp(Exception):
    """The asker left and wants no more answers; what mutates is finished all the same."""


class Door:
    """Serves connections until closed."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()

    async def open(self, path: Path, mode: int) -> None:
        """Listens at ``path`` with that mode, in the place of a socket that nobody serves.

        Raises:
            DoorUnusable: Nothing can listen there.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _bind(listener, path, mode)
        except OSError as exc:
            listener.close()
            raise DoorUnusable(path=str(path), reason=exc.strerror or str(exc)) from exc
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listener, limit=2 * 1024 * 1024, backlog=512
        )

    async def close(self) -> None:
        """Stops listening and drops every connection."""
        if self._server is not None:
            self._server.close()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.current_task()
        assert visit is not None
        self._visits.add(visit)
        try:
            await self._visit(reader, writer)
        except asyncio.CancelledError:
            pass  # only close() does that; asyncio 3.11 would report a cancelled visit as a failure
        finally:
            self._visits.discard(visit)
            writer.close()

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            user = _user_of(writer)
            async with asyncio.TaskGroup() as tasks:
                await self._serve_user(reader, writer, user, tasks)
                raise _HungUp
        except* _HungUp:
            pass
        except* (BadMessage, ConnectionError) as group:
            _log.info("event=door-closed reason=%s", group.exceptions[0])

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


def _bind(listener: socket.socket, path: Path, mode: int) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
    old_umask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(old_umask)
    path.chmod(mode)


def user_of_uid(uid: int) -> DoorUser:
    """The user with that uid, by the name that agents use between machines."""
    if uid == 0:  # whatever else the accounts of this machine call it
        return DoorUser(name="root", uid=0)
    try:
        return DoorUser(name=pwd.getpwuid(uid).pw_name, uid=uid)
    except KeyError:
        return DoorUser(name=str(uid), uid=uid)


def _user_of(writer: asyncio.StreamWriter) -> DoorUser:
    peer = writer.get_extra_info("socket")
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return user_of_uid(uid)
