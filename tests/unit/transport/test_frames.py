"""Frames of a Unix socket, cut anywhere."""

from __future__ import annotations

import asyncio

import pytest

from ssi.protocol.codec import BadMessage
from ssi.transport.frames import read_frame

FRAME = b"\0\0\0\5hello"


def read_all(content: bytes, *, limit_bytes: int = 100, chunk: int = 10**6) -> list[bytes]:
    """Every frame in a stream that arrives in chunks and then ends."""

    async def read() -> list[bytes]:
        reader = asyncio.StreamReader(limit=64)
        for start in range(0, len(content), chunk):
            reader.feed_data(content[start : start + chunk])
        reader.feed_eof()
        frames = []
        while (frame := await read_frame(reader, limit_bytes)) is not None:
            frames.append(frame)
        return frames

    return asyncio.run(read())


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 5, 9, 100])
def test_frames_are_read_however_they_arrive(chunk: int) -> None:
    assert read_all(FRAME * 3, chunk=chunk) == [b"hello"] * 3


def test_end_between_two_frames_is_the_end() -> None:
    assert read_all(b"") == []
    assert read_all(FRAME) == [b"hello"]


def test_empty_frame_is_a_frame() -> None:
    assert read_all(b"\0\0\0\0" * 2) == [b"", b""]


@pytest.mark.parametrize("cut", range(5, 9))
def test_end_within_a_frame_is_told(cut: int) -> None:
    with pytest.raises(BadMessage, match="closed within a frame"):
        read_all(FRAME[:cut])


@pytest.mark.parametrize("cut", range(1, 4))
def test_end_within_a_length_is_told(cut: int) -> None:
    with pytest.raises(BadMessage, match="closed within a frame"):
        read_all(FRAME[:cut])


def test_end_right_after_a_length_is_told() -> None:
    with pytest.raises(BadMessage, match="closed within a frame"):
        read_all(FRAME[:4])


@pytest.mark.parametrize("length", [101, 2**31, 2**32 - 1])
def test_frame_beyond_the_limit_is_refused_before_it_is_read(length: int) -> None:
    with pytest.raises(BadMessage, match=f"a frame of {length} bytes, more than 100"):
        read_all(length.to_bytes(4, "big") + b"x" * 50)


def test_frame_at_the_limit_is_read() -> None:
    assert read_all((100).to_bytes(4, "big") + b"x" * 100) == [b"x" * 100]
