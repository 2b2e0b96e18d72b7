"""Requests to the agent at the door: any number under way, each with its deadline."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from ssi.client.door import open_door
from ssi.client.errors import DoorClosed
from ssi.model.errors import SsiError
from ssi.protocol.codec import (
    decode_envelope,
    decode_reply_body,
    encode_envelope,
    encode_request_body,
    error_of,
)
from ssi.protocol.envelope import MAX_CONTROL_FRAME_BYTES, Failure, Reply, Request
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.refusals import TimedOut
from ssi.transport.frames import read_frame, write_frame

DEFAULT_TIMEOUT_S: Final = 10.0

GRACE_S: Final = 0.5
"""How much longer than the agent a client waits: the agent knows better what went wrong."""


class Connection:
    """One connection to the door. Safe to be asked by many tasks at once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._pending: dict[bytes, asyncio.Future[Reply]] = {}
        self._closed: SsiError | None = None
        self._task = asyncio.get_running_loop().create_task(self._read_replies())

    @classmethod
    async def open(cls) -> Self:
        """A connection to the agent of this machine.

        Raises:
            NoSystem: There is none to ask.
            DoorClosed: It does not answer.
        """
        return cls(*await open_door())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def is_closed(self) -> bool:
        """Whether it has ended, from either side."""
        return self._closed is not None

    async def close(self) -> None:
        """Ends the connection; what is pending fails."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def ask(
        self,
        body: RequestMessage,
        *,
        node: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        request_id: bytes | None = None,
    ) -> ReplyBody:
        """The reply of a node, or of the agent at the door for an empty ``node``.

        Args:
            body: What to ask.
            node: Its name.
            timeout_s: After which :class:`TimedOut` is raised.
            request_id: Of an earlier try of the same request, so that it is not done twice.

        Raises:
            DoorClosed: The connection ended.
            SsiError: Whatever it failed with.
        """
        if self._closed is not None:
            raise self._closed
        request = Request(
            request_id or secrets.token_bytes(16),
            node,
            "",
            int(timeout_s * 1000),
            encode_request_body(body),
        )
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._pending[request.id] = answer
        try:
            async with asyncio.timeout(timeout_s + GRACE_S):
                write_frame(self._writer, encode_envelope(request))
                await self._writer.drain()
                reply = await answer
        except TimeoutError as exc:
            what = type(body).__name__
            raise TimedOut(node=node or "the agent", request=what, after_s=timeout_s) from exc
        except ConnectionError as exc:
            raise DoorClosed(path="its socket", reason=exc.strerror or str(exc)) from exc
        finally:
            if self._pending.get(request.id) is answer:  # else it was asked again under its id
                del self._pending[request.id]
        return decode_reply_body(reply.body)

    async def _read_replies(self) -> None:
        error: SsiError = DoorClosed(path="its socket", reason="it closed the connection")
        try:
            while (frame := await read_frame(self._reader, MAX_CONTROL_FRAME_BYTES)) is not None:
                envelope = decode_envelope(frame)
                if isinstance(envelope, Request):
                    continue
                if isinstance(envelope, Failure) and not envelope.id:
                    error = error_of(envelope)
                    break
                answer = self._pending.get(envelope.id)
                if answer is not None and not answer.done():
                    if isinstance(envelope, Failure):
                        answer.set_exception(error_of(envelope))
                    else:
                        answer.set_result(envelope)
        except SsiError as exc:
            error = exc
        finally:
            self._closed = error
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(error)
