"""Frames on the sockets of a keeper and a shim: four bytes of length, then msgpack. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from nodeagent.shim.messages import MAX_FRAME_BYTES, ReplyFrame, RequestFrame
from ssi.model.errors import SsiError
from ssi.model.unreadable import UNREADABLE

_HEAD_BYTES: Final = 4
_encoder: Final = msgspec.msgpack.Encoder()
_requests: Final = msgspec.msgpack.Decoder(RequestFrame)
_replies: Final = msgspec.msgpack.Decoder(ReplyFrame)


@dataclass(eq=False, kw_only=True)
class BadFrame(SsiError):
    """Bytes on a shim's socket that are no frame of ours; the connection is given up."""

    word = "bad-frame"
    reason: str

    def what(self) -> str:
        return f"a frame cannot be read: {self.reason}"


def encode_frame(frame: RequestFrame | ReplyFrame) -> bytes:
    """The frame as it goes over the socket."""
    body = _encoder.encode(frame)
    assert len(body) <= MAX_FRAME_BYTES, len(body)
    return len(body).to_bytes(_HEAD_BYTES, "big") + body


def decode_request(body: bytes | memoryview) -> RequestFrame:
    """The request in a frame without its length.

    Raises:
        BadFrame: It is none that we know.
    """
    try:
        return _requests.decode(body)
    except UNREADABLE as exc:
        raise BadFrame(reason=str(exc)) from exc


def decode_reply(body: bytes | memoryview) -> ReplyFrame:
    """The reply in a frame without its length.

    Raises:
        BadFrame: It is none that we know.
    """
    try:
        return _replies.decode(body)
    except UNREADABLE as exc:
        raise BadFrame(reason=str(exc)) from exc


class FrameSplitter:
    """Cuts what arrives into frames; holds at most one frame and what came with its end."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete now, without their lengths.

        Raises:
            BadFrame: One claims to be longer than any may be.
        """
        self._held += data
        frames: list[bytes] = []
        at = 0
        while len(self._held) - at >= _HEAD_BYTES:
            length = int.from_bytes(self._held[at : at + _HEAD_BYTES], "big")
            if length > MAX_FRAME_BYTES:
                raise BadFrame(reason=f"{length} bytes, more than {MAX_FRAME_BYTES}")
            end = at + _HEAD_BYTES + length
            if len(self._held) < end:
                break
            frames.append(bytes(self._held[at + _HEAD_BYTES : end]))
            at = end
        del self._held[:at]
        return frames
