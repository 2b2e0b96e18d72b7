"""Bytes to typed values and back, and nowhere else.

Decoding never raises anything but :class:`BadMessage` and :class:`VersionMismatch`, whatever the
bytes, and allocates no more than a small multiple of their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, get_args

import msgspec

# An error is known by its word only once its class exists, so every module that has one which
# crosses the wire is imported here, where failures become errors again.
from ssi.model import adoption, checkpoint, launch, migration, pipe, shim  # noqa: F401
from ssi.model.errors import RemoteError, SsiError
from ssi.model.unreadable import UNREADABLE
from ssi.protocol import refusals  # noqa: F401
from ssi.protocol.envelope import (
    MAGIC,
    MAX_CONTROL_FRAME_BYTES,
    PROTOCOL_VERSION,
    Envelope,
    Failure,
    Reply,
    Request,
)
from ssi.protocol.message import ReplyMessage, RequestMessage
from ssi.protocol.messages import ReplyBody, RequestBody
from ssi.protocol.pulse import MAX_DATAGRAM_BYTES, AnyDatagram, Fares, SignedEntry, Statement

_encoder: Final = msgspec.msgpack.Encoder()
_envelopes: Final[msgspec.msgpack.Decoder[Envelope]] = msgspec.msgpack.Decoder(Envelope)
_requests: Final[msgspec.msgpack.Decoder[RequestBody]] = msgspec.msgpack.Decoder(RequestBody)
_replies: Final[msgspec.msgpack.Decoder[ReplyBody]] = msgspec.msgpack.Decoder(ReplyBody)
_datagrams: Final[msgspec.msgpack.Decoder[AnyDatagram]] = msgspec.msgpack.Decoder(AnyDatagram)
_fares: Final[msgspec.msgpack.Decoder[Fares]] = msgspec.msgpack.Decoder(Fares)
_statements: Final[msgspec.msgpack.Decoder[Statement]] = msgspec.msgpack.Decoder(Statement)
_entries: Final[msgspec.msgpack.Decoder[SignedEntry]] = msgspec.msgpack.Decoder(SignedEntry)


class _Head(msgspec.Struct, array_like=True):
    """The first item of a body, which names its kind; what follows is skipped unread."""

    tag: str


_heads: Final[msgspec.msgpack.Decoder[_Head]] = msgspec.msgpack.Decoder(_Head)
_BULK_TAGS: Final = frozenset(
    kind.__struct_config__.tag for kind in get_args(RequestBody) if kind.bulk
)


@dataclass(eq=False, kw_only=True)
class BadMessage(SsiError):
    """Bytes that are no message of ours."""

    word = "bad-message"
    reason: str

    def what(self) -> str:
        return f"a message cannot be read: {self.reason}"

    def advice(self) -> str:
        return "the peer is no agent of ssi, or a broken one"


@dataclass(eq=False, kw_only=True)
class VersionMismatch(SsiError):
    """The peer speaks another version of the protocol."""

    word = "version-mismatch"
    exit_code = 3
    ours: int
    theirs: int
    node: str = ""

    def what(self) -> str:
        who = self.node or "the peer"
        return f"{who} speaks protocol version {self.theirs}, this side {self.ours}"

    def advice(self) -> str:
        return "run `ssi up` for all nodes from the newest ssi"


def encode_envelope(envelope: Envelope) -> bytes:
    """One frame: the magic with the version, then the envelope."""
    return MAGIC + _encoder.encode(envelope)


def decode_envelope(frame: bytes | memoryview) -> Envelope:
    """The envelope in a frame.

    Raises:
        BadMessage: The bytes are not ours, or too many.
        VersionMismatch: They are ours, of another version.
    """
    if len(frame) > MAX_CONTROL_FRAME_BYTES:
        raise BadMessage(reason=f"{len(frame)} bytes, more than {MAX_CONTROL_FRAME_BYTES}")
    head = bytes(frame[:4])
    if len(head) < 4 or head[:3] != MAGIC[:3]:
        raise BadMessage(reason="no SSI at its start")
    if head != MAGIC:
        raise VersionMismatch(ours=PROTOCOL_VERSION, theirs=head[3])
    try:
        return _envelopes.decode(memoryview(frame)[4:])
    except UNREADABLE as exc:
        raise BadMessage(reason=str(exc)) from exc


def encode_request_body(body: RequestMessage) -> msgspec.Raw:
    """A request's body, ready for its envelope."""
    return msgspec.Raw(_encoder.encode(body))


def encode_reply_body(body: ReplyMessage) -> msgspec.Raw:
    """A reply's body, ready for its envelope."""
    return msgspec.Raw(_encoder.encode(body))


def decode_request_body(raw: msgspec.Raw) -> RequestBody:
    """The request in a body.

    Raises:
        BadMessage: It is none that we know.
    """
    try:
        return _requests.decode(raw)
    except UNREADABLE as exc:
        raise BadMessage(reason=str(exc)) from exc


def tag_of(raw: msgspec.Raw) -> str:
    """The name of a body's kind, also of one that this version does not know.

    Raises:
        BadMessage: It is no body.
    """
    try:
        return _heads.decode(raw).tag
    except UNREADABLE as exc:
        raise BadMessage(reason=str(exc)) from exc


def is_bulk(raw: msgspec.Raw) -> bool:
    """Whether a request travels on the bulk socket; one of an unknown kind does not.

    Raises:
        BadMessage: It is no body.
    """
    return tag_of(raw) in _BULK_TAGS


def decode_reply_body(raw: msgspec.Raw) -> ReplyBody:
    """The reply in a body.

    Raises:
        BadMessage: It is none that we know.
    """
    try:
        return _replies.decode(raw)
    except UNREADABLE as exc:
        raise BadMessage(reason=str(exc)) from exc


def encode_datagram(datagram: AnyDatagram) -> bytes:
    """One frame of the heartbeat plane: the magic with the version, then the datagram."""
    return MAGIC + _encoder.encode(datagram)


def decode_datagram(frame: bytes) -> AnyDatagram:
    """The datagram in a frame.

    Raises:
        BadMessage: It is none that we know.
        VersionMismatch: It is one, of another version.
    """
    if len(frame) > MAX_DATAGRAM_BYTES or len(frame) < 4 or frame[:3] != MAGIC[:3]:
        raise BadMessage(reason="no datagram of ssi")
    if frame[:4] != MAGIC:
        raise VersionMismatch(ours=PROTOCOL_VERSION, theirs=frame[3])
    try:
        return _datagrams.decode(memoryview(frame)[4:])
    except UNREADABLE as exc:
        raise BadMessage(reason=str(exc)) from exc


def encode_fares(fares: Fares) -> bytes:
    """How a node fares, for its acks."""
    return _encoder.encode(fares)


def decode_fares(encoded: bytes) -> Fares:
    """How a node fares, from an ack.

    Raises:
        BadMessage: It cannot be read.
    """
    try:
        return _fares.decode(encoded)
    except UNREADABLE as exc:
        raise BadMessage(reason=str(exc)) from exc


def encode_statement(statement: Statement) -> bytes:
    """What is signed."""
    return _encoder.encode(statement)


def decode_statement(encoded: bytes) -> Statement:
    """What was signed.

    Raises:
        BadMessage: It cannot be read.
    """
    try:
        return _statements.decode(encoded)
    except UNREADABLE as exc:
        raise BadMessage(reason=str(exc)) from exc


def encode_entry(entry: SignedEntry) -> bytes:
    """An entry of the roster, for a datagram."""
    return _encoder.encode(entry)


def decode_entry(encoded: bytes) -> SignedEntry:
    """An entry of the roster, from a datagram.

    Raises:
        BadMessage: It cannot be read.
    """
    try:
        return _entries.decode(encoded)
    except UNREADABLE as exc:
        raise BadMessage(reason=str(exc)) from exc


def make_failure(request_id: bytes, error: SsiError) -> Failure:
    """The failure that tells of an error; one of a newer peer is passed on as it came."""
    if isinstance(error, RemoteError):
        return Failure(request_id, error.remote_word, error.remote_fields)
    return Failure(request_id, error.word, error.wire_fields())


def error_of(failure: Failure) -> SsiError:
    """The error that a failure tells of."""
    return SsiError.from_wire(failure.word, failure.fields)


__all__ = [
    "BadMessage",
    "Failure",
    "Reply",
    "Request",
    "VersionMismatch",
    "decode_datagram",
    "decode_entry",
    "decode_envelope",
    "decode_fares",
    "decode_reply_body",
    "decode_request_body",
    "decode_statement",
    "encode_datagram",
    "encode_entry",
    "encode_envelope",
    "encode_fares",
    "encode_reply_body",
    "encode_request_body",
    "encode_statement",
    "error_of",
    "is_bulk",
    "make_failure",
    "tag_of",
]
