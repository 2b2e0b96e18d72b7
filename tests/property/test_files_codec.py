"""Whatever bytes arrive from the kernel, a peer or a journal: they decode or are refused."""

from __future__ import annotations

import struct
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from nodeagent.filesystem.fuse.abi import Opcode
from nodeagent.filesystem.fuse.decoding import HEADER, BadRequest, decode
from nodeagent.filesystem.fuse.requests import Request
from nodeagent.filesystem.mount.journal import NodeRecord, _framed, read_journal
from nodeagent.filesystem.server.exports import Exports, Rule, is_sound, parse_exports
from ssi.protocol.codec import BadMessage
from ssi.protocol.fileframes import MAGIC, Answered, Asked, decode_answered, decode_asked, encode
from ssi.protocol.filereplies import Entry
from ssi.protocol.filerequests import Lookup, Rename, Write


@given(st.binary(max_size=200))
def test_random_bytes_are_no_request_of_the_kernel_or_one(data: bytes) -> None:
    with suppress(BadRequest):
        assert isinstance(decode(memoryview(data)), Request)


@given(st.sampled_from(list(Opcode)), st.binary(max_size=300), st.integers(0, 40))
def test_random_payload_of_each_opcode_decodes_or_is_refused(
    opcode: Opcode, payload: bytes, extra: int
) -> None:
    header = HEADER.pack(HEADER.size + len(payload), opcode, 7, 1, 0, 0, 1, extra, 0)
    with suppress(BadRequest):
        request = decode(memoryview(header + payload))
        assert request.header.opcode == opcode


@given(st.binary(max_size=200))
def test_random_bytes_are_no_frame_or_one(data: bytes) -> None:
    for frame in (data, MAGIC + data):
        with suppress(BadMessage):
            assert isinstance(decode_asked(frame), Asked)
        with suppress(BadMessage):
            assert isinstance(decode_answered(frame), Answered)


BODIES = st.one_of(
    st.builds(Lookup, st.binary(max_size=50)),
    st.builds(Rename, st.binary(max_size=50), st.binary(max_size=50), st.integers(0, 7)),
    st.builds(Write, st.integers(1, 1 << 60), st.integers(0, 1 << 62), st.booleans()),
)


@given(st.integers(0, 1 << 63), st.binary(min_size=16, max_size=16), st.text(), BODIES)
def test_request_comes_back_as_it_was(
    number: int, session: bytes, user: str, body: Lookup | Rename | Write
) -> None:
    asked = Asked(number, session, user, "", body)
    assert decode_asked(encode(asked)) == asked


@given(st.binary(min_size=88, max_size=88), st.integers(0, 1 << 63), st.booleans())
def test_answer_comes_back_as_it_was(attributes: bytes, device: int, plain: bool) -> None:
    answered = Answered(3, 0, Entry(attributes, device, plain))
    assert decode_answered(encode(answered)) == answered


RECORDS = st.builds(
    NodeRecord,
    st.integers(2, 1 << 40),
    st.integers(0, 1 << 40),
    st.integers(0, 1 << 60),
    st.integers(0, 1 << 40),
    st.binary(max_size=20),
    st.integers(0, 9),
)


@given(st.lists(RECORDS, max_size=10), st.binary(max_size=40), st.integers(0, 30))
def test_journal_that_was_cut_off_keeps_what_is_before(
    records: list[NodeRecord], rest: bytes, cut: int
) -> None:
    whole = b"".join(map(_framed, records))
    assert read_journal(whole) == records
    read = read_journal(whole[: max(len(whole) - cut, 0)])
    assert read == records[: len(read)]
    read_journal(struct.pack("<I", len(rest)) + rest)


@given(st.binary(max_size=60))
def test_sound_path_has_no_way_up(path: bytes) -> None:
    if is_sound(path):
        assert b".." not in path.split(b"/")
        assert not path.startswith(b"/")


@given(st.text(max_size=80))
def test_any_text_is_a_file_of_exports_that_serves_no_secret(text: str) -> None:
    rules = Exports(parse_exports(text), [b"var/lib/ssi"])
    assert rules.rule(b"var/lib/ssi/node.key") is Rule.NOTHING
