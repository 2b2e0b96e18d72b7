"""What crosses the socket between the stub and a warm process."""

from __future__ import annotations

import pytest

from ssi.cli.warm import request as wire
from ssi.cli.warm.request import BadRequest, body_length, parse_body


def test_a_body_is_read_as_words_and_variables() -> None:
    request = parse_body(b"4\0/bin/ssi\0ps\0\0\xff\0A=1\0EMPTY=\0B=x=y\xff")
    assert request.words == ("/bin/ssi", "ps", "", "\udcff")
    assert request.environment == {b"A": b"1", b"EMPTY": b"", b"B": b"x=y\xff"}


def test_a_length_is_awaited_until_it_is_whole() -> None:
    assert body_length(b"\0\0\0") is None
    assert body_length(b"\0\0\1\0") == 256


def test_a_body_without_bounds_is_refused_before_it_arrives() -> None:
    with pytest.raises(BadRequest):
        body_length(b"\xff\xff\xff\xff")


@pytest.mark.parametrize(
    "body", [b"", b"x\0ssi", b"0\0ssi", b"3\0ssi\0ps", b"-1\0ssi", b"1\0ssi\0NAME", b"1\0ssi\0=v"]
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_body(body)


def test_an_end_is_told_as_status_or_signal() -> None:
    assert wire.ended(3 << 8) == b"X\x03"
    assert wire.ended(9) == b"K\x09"
    assert wire.stopped(20) == b"T\x14"
