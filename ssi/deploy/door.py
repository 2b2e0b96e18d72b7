"""Requests for the door of an agent, as bytes, and what it answered."""

from __future__ import annotations

import os
from typing import TypeVar

from ssi.protocol.codec import (
    BadMessage,
    decode_envelope,
    decode_reply_body,
    encode_envelope,
    encode_request_body,
    error_of,
)
from ssi.protocol.envelope import Failure, Reply, Request
from ssi.protocol.message import ReplyMessage, RequestMessage

DEADLINE_MS = 10_000

ReplyT = TypeVar("ReplyT", bound=ReplyMessage)


def question(body: RequestMessage) -> bytes:
    """The envelope that asks the agent at the door itself."""
    request = Request(os.urandom(16), "", "", DEADLINE_MS, encode_request_body(body))
    return encode_envelope(request)


def answer(frame: bytes, kind: type[ReplyT]) -> ReplyT:
    """The reply in an envelope.

    Raises:
        BadMessage: It is not of the kind that belongs to the question.
        SsiError: What the agent failed with.
    """
    envelope = decode_envelope(frame)
    if isinstance(envelope, Failure):
        raise error_of(envelope)
    if isinstance(envelope, Reply):
        body = decode_reply_body(envelope.body)
        if isinstance(body, kind):
            return body
    raise BadMessage(reason=f"no {kind.__name__}")
