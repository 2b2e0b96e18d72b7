"""The codec against any bytes, and against every message that there is."""

from __future__ import annotations

import sys
import tracemalloc
from types import UnionType
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssi.model.errors import FieldValue
from ssi.protocol import codec
from ssi.protocol.codec import BadMessage, VersionMismatch
from ssi.protocol.envelope import MAGIC, MAX_CONTROL_FRAME_BYTES, Failure, Reply, Request
from ssi.protocol.message import ReplyMessage, RequestMessage
from ssi.protocol.messages import ReplyBody, RequestBody
from ssi.protocol.system import GetRoster

REQUESTS: tuple[type[RequestMessage], ...] = get_args(RequestBody)
REPLIES: tuple[type[ReplyMessage], ...] = get_args(ReplyBody)

INTEGERS = st.integers(min_value=-(2**63), max_value=2**64 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
SIMPLE: dict[type[msgspec.inspect.Type], st.SearchStrategy[Any]] = {
    msgspec.inspect.IntType: INTEGERS,
    msgspec.inspect.FloatType: st.floats(allow_nan=False),
    msgspec.inspect.StrType: TEXT,
    msgspec.inspect.BytesType: st.binary(max_size=16),
    msgspec.inspect.BoolType: st.booleans(),
    msgspec.inspect.NoneType: st.none(),
}
RAW = st.binary(max_size=40).map(lambda data: msgspec.Raw(msgspec.msgpack.encode(data)))
FIELDS: st.SearchStrategy[dict[str, FieldValue]] = st.dictionaries(
    TEXT,
    TEXT | INTEGERS | st.floats(allow_nan=False) | st.booleans() | st.lists(TEXT, max_size=3),
    max_size=4,
)

MULTIPLE = 64
"""Python objects that one byte may become: ``b"\\x90"`` is a tuple of 56 bytes."""

FLOOR_BYTES = 64 * 1024


def values(kind: Any) -> st.SearchStrategy[Any]:  # Any: a type as msgspec tells of it
    """Any value of a field's type."""
    if type(kind) in SIMPLE:
        return SIMPLE[type(kind)]
    match kind:
        case msgspec.inspect.EnumType():
            return st.sampled_from(list(kind.cls))
        case msgspec.inspect.LiteralType():
            return st.sampled_from(kind.values)
        case msgspec.inspect.UnionType():
            return st.one_of(*(values(part) for part in kind.types))
        case msgspec.inspect.TupleType():
            return st.tuples(*(values(part) for part in kind.item_types))
        case msgspec.inspect.VarTupleType():
            return st.lists(values(kind.item_type), max_size=2).map(tuple)
        case msgspec.inspect.DictType():
            return st.dictionaries(values(kind.key_type), values(kind.value_type), max_size=2)
        case msgspec.inspect.StructType():
            fields = {field.name: values(field.type) for field in kind.fields}
            return st.builds(kind.cls, **fields)
        case _:
            raise AssertionError(kind)


def bodies(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    return values(msgspec.inspect.type_info(kind))


REQUEST_BODIES = {kind: bodies(kind) for kind in REQUESTS}
REPLY_BODIES = {kind: bodies(kind) for kind in REPLIES}

ENVELOPES = st.one_of(
    st.builds(Request, st.binary(min_size=16, max_size=16), TEXT, TEXT, INTEGERS, RAW),
    st.builds(Reply, st.binary(max_size=20), RAW),
    st.builds(Failure, st.binary(max_size=20), TEXT, FIELDS),
)


def refuses_cleanly(data: bytes) -> None:
    """Decoding raises nothing else, and takes no more memory than a multiple of the bytes."""
    limit = FLOOR_BYTES + MULTIPLE * len(data)
    for decode in (codec.decode_envelope, _decode_request, _decode_reply, _tag):
        tracemalloc.start()
        try:
            decode(data)
        except (BadMessage, VersionMismatch) as exc:
            assert "\n" not in exc.what() or b"\n" in data
        finally:
            _now, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak <= limit, (decode, peak, limit)


def _decode_request(data: bytes) -> object:
    return codec.decode_request_body(msgspec.Raw(data))


def _decode_reply(data: bytes) -> object:
    return codec.decode_reply_body(msgspec.Raw(data))


def _tag(data: bytes) -> object:
    return codec.tag_of(msgspec.Raw(data))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_cleanly(data: bytes) -> None:
    refuses_cleanly(data)
    refuses_cleanly(MAGIC + data)


@given(st.sampled_from([*REQUESTS, *REPLIES]), st.binary(max_size=80))
def test_any_bytes_after_a_known_tag_are_refused_cleanly(
    kind: type[msgspec.Struct], data: bytes
) -> None:
    tag = str(kind.__struct_config__.tag)
    for head in (b"\x92", b"\x9f", b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff"):
        refuses_cleanly(head + msgspec.msgpack.encode(tag) + data)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_truncated_message_is_refused_cleanly(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(REQUESTS))
    body = data.draw(REQUEST_BODIES[kind])
    request = Request(b"i" * 16, "n2", "ada", 1000, codec.encode_request_body(body))
    frame = codec.encode_envelope(request)
    cut = data.draw(st.integers(min_value=0, max_value=len(frame) - 1))
    with pytest.raises(BadMessage):
        codec.decode_envelope(frame[:cut])


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_message_with_a_flipped_byte_is_read_or_refused_cleanly(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(REQUESTS))
    frame = bytearray(bytes(codec.encode_request_body(data.draw(REQUEST_BODIES[kind]))))
    position = data.draw(st.integers(min_value=0, max_value=len(frame) - 1))
    frame[position] = data.draw(st.integers(min_value=0, max_value=255))
    refuses_cleanly(bytes(frame))


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
def test_every_request_comes_out_as_it_went_in(kind: type[RequestMessage]) -> None:
    @given(REQUEST_BODIES[kind])
    @settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
    def comes_out(body: RequestMessage) -> None:
        raw = codec.encode_request_body(body)
        assert codec.decode_request_body(raw) == body
        assert codec.tag_of(raw) == kind.__struct_config__.tag
        assert codec.is_bulk(raw) == kind.bulk

    comes_out()


@pytest.mark.parametrize("kind", REPLIES, ids=lambda kind: kind.__name__)
def test_every_reply_comes_out_as_it_went_in(kind: type[ReplyMessage]) -> None:
    @given(REPLY_BODIES[kind])
    @settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
    def comes_out(body: ReplyMessage) -> None:
        assert codec.decode_reply_body(codec.encode_reply_body(body)) == body

    comes_out()


@given(ENVELOPES)
def test_every_envelope_comes_out_as_it_went_in(envelope: Request | Reply | Failure) -> None:
    again = codec.decode_envelope(codec.encode_envelope(envelope))
    assert type(again) is type(envelope)
    assert again == envelope


@given(st.integers(min_value=0, max_value=255).filter(lambda number: number != MAGIC[3]),
       st.binary(max_size=50))  # fmt: skip
def test_other_version_is_told_whatever_follows(version: int, rest: bytes) -> None:
    with pytest.raises(VersionMismatch) as caught:
        codec.decode_envelope(b"SSI" + bytes([version]) + rest)
    assert (caught.value.ours, caught.value.theirs) == (MAGIC[3], version)


@pytest.mark.parametrize("depth", [100, 5_000, 200_000])
def test_deep_nesting_is_refused_cleanly(depth: int) -> None:
    before = sys.getrecursionlimit()
    for opening in (b"\x91", b"\x81\xa1a"):
        refuses_cleanly(opening * depth + b"\xc0")
        refuses_cleanly(MAGIC + b"\x95\xa1q\xc4\x10" + b"i" * 16 + opening * depth)
    assert sys.getrecursionlimit() == before


@pytest.mark.parametrize(
    "header",
    [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
     b"\xdb\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01"],
)  # fmt: skip
def test_announced_length_allocates_nothing(header: bytes) -> None:
    for before in (
        b"",
        b"\x93\xaelist-processes",
        b"\x94\xa1f\xc4\x01x\xa1w\x81\xa1a",
        b"\x92\xa4jobs",
    ):
        refuses_cleanly(before + header)
        refuses_cleanly(MAGIC + before + header)


def test_frame_beyond_the_limit_is_not_even_looked_at() -> None:
    frame = MAGIC + b"\0" * MAX_CONTROL_FRAME_BYTES
    with pytest.raises(BadMessage, match="more than"):
        codec.decode_envelope(frame)


def test_text_that_is_no_utf8_is_a_bad_message() -> None:
    with pytest.raises(BadMessage):
        codec.decode_envelope(MAGIC + b"\x94\xa1f\xc4\x01x\xa2\xff\xff\x80")


@pytest.mark.parametrize("size", [0, 1, 15, 17, 64])
def test_request_id_has_sixteen_bytes(size: int) -> None:
    body = codec.encode_request_body(GetRoster())
    with pytest.raises(BadMessage, match="length"):
        codec.decode_envelope(codec.encode_envelope(Request(b"i" * size, "", "", 1, body)))


def test_unions_are_closed_and_their_tags_unique() -> None:
    assert isinstance(RequestBody, UnionType)
    assert isinstance(ReplyBody, UnionType)
    for kinds, root in ((REQUESTS, RequestMessage), (REPLIES, ReplyMessage)):
        assert set(kinds) == set(root.__subclasses__())
        tags = [kind.__struct_config__.tag for kind in kinds]
        assert len(set(tags)) == len(tags)


def test_body_of_an_unknown_kind_is_named_but_not_read() -> None:
    newer = msgspec.Raw(msgspec.msgpack.encode(["teleport-job", 1, {"a": [1, 2]}]))
    assert codec.tag_of(newer) == "teleport-job"
    assert not codec.is_bulk(newer)
    with pytest.raises(BadMessage, match="teleport-job"):
        codec.decode_request_body(newer)


def test_fields_that_a_newer_peer_added_are_passed_over() -> None:
    raw = msgspec.Raw(msgspec.msgpack.encode(["locate", 10000001, "new", {"x": 1}]))
    body = codec.decode_request_body(raw)
    assert msgspec.to_builtins(body) == ["locate", 10000001]
