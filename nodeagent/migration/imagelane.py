"""A connection for the bytes of one move: what goes over it, and the end that sends.

Over CURVE each mebibyte passes a slow cipher and six threads. Here the thread that reads files and
images seals and sends them, and the one that receives them writes them. The destination says over
CURVE on which port it waits, and gives the key. Where there is no connection in time, they go over
CURVE. One that breaks ends the move, as there.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from queue import SimpleQueue
from typing import Final, TypeAlias

import msgspec

from nodeagent.direct.buffers import Buffers
from nodeagent.direct.records import Broken, Record, Records
from nodeagent.mechanism import tcpsilence
from nodeagent.mechanism.aesgcm import CipherMissing, Sealer
from ssi.protocol.migration import ImageLane, Piece
from ssi.transport.linkrate import LinkReading, read_link

TO_DESTINATION: Final = 1
TO_SOURCE: Final = 2

HELLO_S: Final = 1.0
"""For a connection, and again for the first word over it; after that a firewall is in the way."""

SILENT_MS: Final = 10_000
"""For which the other end may take nothing: it may have to find memory first."""

TAKEN_S: Final = 30.0
"""For the other end to say that it has taken what it got."""

Messages: TypeAlias = Iterable[tuple[Piece, ...]]

_End: TypeAlias = "asyncio.Future[Exception | None]"
"""With what, if anything, went wrong."""

_log: Final = logging.getLogger(__name__)


class Part(msgspec.Struct, frozen=True, array_like=True):
    """So many of the bytes behind a message belong to an image; as :class:`Piece`."""

    image: str
    offset: int
    size: int
    unpacked_bytes: int


class Parts(msgspec.Struct, frozen=True, array_like=True):
    """A message. Without parts, and not the last, it is a greeting, or an answer.

    Attributes:
        is_last: All images have been sent.
        asks: The other end answers once it has taken all that came before.
    """

    parts: tuple[Part, ...] = ()
    is_last: bool = False
    asks: bool = False


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Parts)


def prepare(connection: socket.socket) -> None:
    """A link that is cut is noticed; what waits for its other end does so in a thread.

    Raises:
        OSError: It has ended already.
    """
    tcpsilence.prepare(connection, idle_s=2, again_s=1, unsent_ms=SILENT_MS)
    connection.settimeout(HELLO_S)


def send_parts(records: Records, parts: Parts, data: bytes = b"") -> None:
    """Sends a message and what is behind it, and waits until that has left.

    Raises:
        Broken: It did not.
    """
    records.send(_encoder.encode(parts), data)
    while records.unsent_bytes:
        records.flush()


def receive_parts(records: Records) -> tuple[Parts, Record]:
    """Waits for the next message. Whoever takes it gives back what the record has lent.

    Raises:
        Broken: There will be none, or it is not as it must be.
    """
    while (record := records.receive()) is None:
        pass
    try:
        return _decoder.decode(record.head), record
    except msgspec.MsgspecError as exc:
        raise Broken(f"not understood: {exc}") from exc


class Lane:
    """The end that sends. It begins to connect when it is made, in a thread of its own.

    Only that thread uses the connection, and closes it. This process does not wait for it to end.

    Args:
        address: Of the destination.
        offer: What that has told.
    """

    def __init__(self, address: str, offer: ImageLane) -> None:
        self._address, self._offer = address, offer
        self._loop = asyncio.get_running_loop()
        self._connection: socket.socket | None = None
        self._orders = SimpleQueue[tuple[Messages, bool, _End] | None]()
        self._opened: _End = self._loop.create_future()
        threading.Thread(target=self._run, name="image-lane", daemon=True).start()

    async def is_open(self, within_s: float) -> bool:
        """Whether the other end has answered by then, and has the key."""
        await asyncio.wait({self._opened}, timeout=within_s)
        return self._opened.done() and self._opened.result() is None

    async def send(self, messages: Messages, *, is_last: bool = True) -> None:
        """Sends all of them; they are read in the lane's thread.

        Args:
            messages: What is sent.
            is_last: Nothing follows. Otherwise it is waited for that the other end has taken them.

        Raises:
            Broken: The other end did not take them.
            OSError: They cannot be read.
        """
        sent: _End = self._loop.create_future()
        self._orders.put((messages, is_last, sent))
        if (problem := await sent) is not None:
            raise problem

    def reading(self) -> LinkReading | None:
        """How fast the connection is. Any thread."""
        connection = self._connection
        return None if connection is None else read_link(connection.fileno())

    def close(self) -> None:
        """Ends it, also while something is sent."""
        self._orders.put(None)
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            records = self._open()
        except (OSError, Broken, CipherMissing) as exc:
            _log.info("event=no-image-lane address=%s reason=%s", self._address, exc)
            self._settle(self._opened, exc)
            return
        self._settle(self._opened, None)
        try:
            while (order := self._orders.get()) is not None:
                messages, is_last, sent = order
                try:
                    _send_all(records, messages)
                    if is_last:
                        send_parts(records, Parts(is_last=True))
                    else:
                        self._await_taken(records)
                except Exception as exc:
                    self._settle(sent, exc)
                else:
                    self._settle(sent, None)
        finally:
            records.close()

    def _open(self) -> Records:
        key = self._offer.key
        connection = socket.create_connection((self._address, self._offer.port), HELLO_S)
        sealer, opener = Sealer(key, TO_DESTINATION), Sealer(key, TO_SOURCE)
        records = Records(connection, Buffers(), sealer, opener)
        try:
            prepare(connection)
            send_parts(records, Parts())
            receive_parts(records)
            connection.settimeout(None)  # the kernel ends it, above
        except (OSError, Broken):
            records.close()
            raise
        self._connection = connection
        return records

    def _await_taken(self, records: Records) -> None:
        assert self._connection is not None
        send_parts(records, Parts(asks=True))
        self._connection.settimeout(TAKEN_S)
        receive_parts(records)
        self._connection.settimeout(None)

    def _settle(self, end: _End, problem: Exception | None) -> None:
        def settle() -> None:
            if not end.done():  # else nobody waits any more
                end.set_result(problem)

        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(settle)


def _send_all(records: Records, messages: Messages) -> None:
    for message in messages:
        parts = tuple(
            Part(each.file, each.offset, len(each.data), each.unpacked_bytes) for each in message
        )
        data = message[0].data if len(message) == 1 else b"".join(each.data for each in message)
        send_parts(records, Parts(parts), data)
