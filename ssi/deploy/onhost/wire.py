"""What passes over the SSH channel: frames from the deployer, lines of JSON back."""

from __future__ import annotations

import json
from typing import Any, BinaryIO, Protocol, TypeAlias

Fields: TypeAlias = dict[str, Any]  # Any: JSON; its reader on the deployer's side is typed

MAX_FRAME_BYTES = 256 * 1024 * 1024


class Readable(Protocol):
    """Whatever bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """That many bytes; fewer only at the end."""
        ...


class Failed(Exception):
    """A step failed: the word and the fields of the deployer's error."""

    def __init__(self, word: str, **fields: str | float) -> None:
        super().__init__(word)
        self.word = word
        self.fields = fields


def read_frame(stream: Readable) -> bytes | None:
    """The next frame; None where the deployer hung up.

    Raises:
        Failed: It hung up within the frame, or announced too much.
    """
    head = stream.read(4)
    if len(head) < 4:
        return None
    length = int.from_bytes(head, "big")
    if length > MAX_FRAME_BYTES:
        raise Failed("bundle-damaged", reason=f"a frame of {length} bytes")
    frame = stream.read(length)
    if len(frame) < length:
        raise Failed("bundle-damaged", reason=f"{len(frame)} of {length} bytes came")
    return frame


def tell(stream: BinaryIO, event: str, fields: Fields) -> None:
    """Sends one line; ``event`` comes first, so that noise of a login shell is told apart."""
    stream.write(json.dumps({"event": event, **fields}).encode() + b"\n")
    stream.flush()
