"""The agent's end of a shim's or the keeper's socket: numbered requests, any number under way."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from nodeagent.shim.frames import BadFrame, decode_reply
from nodeagent.shim.message import Message
from nodeagent.shim.messages import (
    MAX_FRAME_BYTES,
    Failed,
    ReplyMessage,
    RequestFrame,
    RequestMessage,
)
from ssi.model.errors import SsiError
from ssi.model.shim import ShimGone, ShimSilent
from ssi.protocol.codec import BadMessage
from ssi.transport.frames import read_frame, write_frame

_encoder = msgspec.msgpack.Encoder()

ReplyT = TypeVar("ReplyT", bound=Message)


class ShimLink:
    """A connection to one shim or keeper. :attr:`gone` is set once it has ended."""

    def __init__(
        self, path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.gone = asyncio.Event()
        self.path = path
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[ReplyMessage]] = {}

    @classmethod
    async def connect(
        cls, path: Path, tasks: asyncio.TaskGroup, timeout_s: float = 5.0
    ) -> ShimLink:
        """Connects to the socket at ``path``; reading goes on in ``tasks``.

        Raises:
            ShimGone: Nobody listens there.
        """
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_unix_connection(
                    str(path), limit=MAX_FRAME_BYTES
                )
        except (OSError, TimeoutError) as exc:
            raise ShimGone(path=str(path), reason=str(exc) or "time-out") from exc
        link = cls(path, reader, writer)
        tasks.create_task(link._read_replies())
        return link

    async def ask(self, body: RequestMessage, kind: type[ReplyT], timeout_s: float) -> ReplyT:
        """The reply, of the kind that such a request has.

        Raises:
            ShimGone: The connection ended before the reply.
            ShimSilent: No reply came in time; the shim lives, and so may what it was asked for.
            SsiError: Whatever the shim failed with.
        """
        if self.gone.is_set():
            raise ShimGone(path=str(self.path), reason="the connection has ended")
        number = next(self._numbers)
        answer: asyncio.Future[ReplyMessage] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        try:
            write_frame(self._writer, _encoder.encode(RequestFrame(number, body)))
            async with asyncio.timeout(timeout_s):
                await self._writer.drain()
                reply = await answer
        except TimeoutError as exc:
            what = type(body).__name__
            raise ShimSilent(path=str(self.path), request=what, after_s=timeout_s) from exc
        except ConnectionError as exc:
            reason = exc.strerror or "the connection broke"
            raise ShimGone(path=str(self.path), reason=reason) from exc
        finally:
            self._pending.pop(number, None)
        if isinstance(reply, Failed):
            raise SsiError.from_wire(reply.word, reply.fields)
        assert isinstance(reply, kind), reply
        return reply

    @property
    def is_idle(self) -> bool:
        """Whether it is there, and no reply is waited for."""
        return not self._pending and not self.gone.is_set()

    def part(self) -> None:
        """To whoever has it now it has ended; from now on it is somebody else's."""
        self.gone.set()
        self.gone = asyncio.Event()

    def close(self) -> None:
        """Ends the connection; the shim goes on."""
        self._writer.close()

    async def _read_replies(self) -> None:
        try:
            while (frame := await read_frame(self._reader, MAX_FRAME_BYTES)) is not None:
                reply = decode_reply(frame)
                answer = self._pending.get(reply.number)
                if answer is not None and not answer.done():
                    answer.set_result(reply.body)
        except (BadMessage, BadFrame, ConnectionError):
            pass  # a shim that was killed mid-frame is gone, as one that closed
        finally:
            self.gone.set()
            for answer in self._pending.values():
                if not answer.done():
                    reason = "the connection has ended"
                    answer.set_exception(ShimGone(path=str(self.path), reason=reason))
                    answer.exception()  # its asker may have left: then nobody else retrieves it
            with suppress(RuntimeError):
                self._writer.close()


__all__ = ["ShimGone", "ShimLink", "ShimSilent"]
