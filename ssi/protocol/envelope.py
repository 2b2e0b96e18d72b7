"""What carries a message: who asks whom, under which id, with how much time left.

An agent that only forwards reads the envelope and never the body, so a newer body passes through
an older agent unharmed.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from ssi.model.errors import FieldValue

PROTOCOL_VERSION = 1
"""Of the envelope and its messages. Peers of different versions refuse each other."""

MAGIC = b"SSI" + bytes([PROTOCOL_VERSION])
"""First four bytes of everything that is sent, before the envelope."""

BULK_CHUNK_BYTES = 1024 * 1024
"""The most data that one message carries."""

MAX_FRAME_BYTES = BULK_CHUNK_BYTES + 256 * 1024
"""The largest envelope that a bulk socket or the door takes."""

MAX_CONTROL_FRAME_BYTES = 16 * 1024 * 1024
"""The largest on a control socket: a process table of 50,000 rows."""


RequestId: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
"""16 random bytes."""


class Request(msgspec.Struct, frozen=True, array_like=True, tag="q"):
    """Somebody asks.

    Attributes:
        id: A mutating request that arrives again under one id is not done again;
            it is answered as the first time.
        target: Name of the node that is to answer; empty for the agent that receives it.
        caller: User on whose behalf; empty where the receiver knows it from the connection. Taken
            at its word from a node of the roster only (``docs/protocol.md``, "Callers").
        deadline_ms: How long the asker will still wait, when it sent this.
        body: One of :data:`ssi.protocol.messages.RequestBody`, encoded.
    """

    id: RequestId
    target: str
    caller: str
    deadline_ms: int
    body: msgspec.Raw


class Reply(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """The answer to the request of that id; body is a ``ReplyBody``, encoded."""

    id: bytes
    body: msgspec.Raw


class Failure(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """The request of that id failed: the error's word and fields (:mod:`ssi.model.errors`)."""

    id: bytes
    word: str
    fields: dict[str, FieldValue]


Envelope: TypeAlias = Request | Reply | Failure
