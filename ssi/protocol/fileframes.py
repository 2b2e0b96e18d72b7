"""Requests and answers of the file service as frames: four bytes, then MessagePack. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from ssi.model.unreadable import UNREADABLE
from ssi.protocol.codec import BadMessage
from ssi.protocol.filereplies import FileReply
from ssi.protocol.filerequests import FileRequest

MAGIC: Final = b"SSF\x01"
"""The last byte is the version of this protocol."""


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """One request.

    Attributes:
        id: Counts up within the session.
        session: 16 random bytes, made by the mount.
        user: On whose behalf; empty for what belongs to nobody (Hello, Release, ...).
        group: With which group new files are made; empty for the user's own.
        body: What is asked.
        released: Open files that are not needed any more, and nobody waits until they are closed;
            only where :attr:`Welcome.takes_released` says so.
    """

    id: int
    session: bytes
    user: str
    group: str
    body: FileRequest
    released: tuple[int, ...] = ()


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """One answer.

    Attributes:
        id: Of the request.
        error: 0, or an errno(3) with its number on x86_64.
        body: Where the error is 0.
        no_session: The server knows no such session: it was restarted, or the lease ran out.
    """

    id: int
    error: int = 0
    body: FileReply | None = None
    no_session: bool = False


_encoder: Final = msgspec.msgpack.Encoder()
_asked: Final = msgspec.msgpack.Decoder(Asked)
_answered: Final = msgspec.msgpack.Decoder(Answered)


def encode(message: Asked | Answered) -> bytes:
    """A frame."""
    frame = bytearray(MAGIC)
    _encoder.encode_into(message, frame, len(MAGIC))
    return bytes(frame)


def decode_asked(frame: bytes) -> Asked:
    """The request in a frame.

    Raises:
        BadMessage: It holds none, or one of another version.
    """
    _check(frame)
    try:
        return _asked.decode(memoryview(frame)[4:])
    except UNREADABLE as exc:
        raise BadMessage(reason=f"no request for files: {exc}") from exc


def decode_answered(frame: bytes) -> Answered:
    """The answer in a frame.

    Raises:
        BadMessage: It holds none, or one of another version.
    """
    _check(frame)
    try:
        return _answered.decode(memoryview(frame)[4:])
    except UNREADABLE as exc:
        raise BadMessage(reason=f"no answer about files: {exc}") from exc


def _check(frame: bytes) -> None:
    if frame[:3] != MAGIC[:3]:
        raise BadMessage(reason="no frame of the file service")
    if frame[:4] != MAGIC:
        raise BadMessage(reason=f"version {frame[3:4].hex() or 'none'} of the file service")
