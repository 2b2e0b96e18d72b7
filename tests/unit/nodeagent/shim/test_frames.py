import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.shim.frames import (
    BadFrame,
    FrameSplitter,
    decode_reply,
    decode_request,
    encode_frame,
)
from nodeagent.shim.messages import (
    MAX_FRAME_BYTES,
    Failed,
    ReplyFrame,
    RequestFrame,
)
from nodeagent.shim.streammessages import (
    Data,
    Write,
)


@given(st.binary(max_size=2000), st.lists(st.integers(1, 50), max_size=20))
def test_frames_come_out_whole_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    frames = [
        RequestFrame(number, Write(offset=0, data=data, end=False, wait_ms=0))
        for number in range(3)
    ]
    wire = b"".join(encode_frame(frame) for frame in frames)
    splitter, got, at = FrameSplitter(), [], 0
    for cut in [*cuts, len(wire)]:
        got += [decode_request(body) for body in splitter.feed(wire[at : at + cut])]
        at += cut
    assert got == frames


def test_reply_survives_its_frame() -> None:
    frame = ReplyFrame(7, Data(offset=3, data=b"\0\xff", ended=True))
    (body,) = FrameSplitter().feed(encode_frame(frame))
    assert decode_reply(body) == frame


def test_frame_that_claims_too_much_is_refused_at_once() -> None:
    with pytest.raises(BadFrame):
        FrameSplitter().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))


@given(st.binary(max_size=200))
def test_garbage_is_a_bad_frame_and_nothing_else(data: bytes) -> None:
    try:
        decode_request(data)
    except BadFrame as exc:
        assert exc.reason


def test_text_that_is_no_utf8_is_a_bad_frame_too() -> None:
    failed = encode_frame(ReplyFrame(1, Failed(word="word", fields={})))
    (body,) = FrameSplitter().feed(failed.replace(b"word", b"wor\xff"))
    with pytest.raises(BadFrame):
        decode_reply(body)
