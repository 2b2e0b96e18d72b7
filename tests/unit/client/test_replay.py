"""Old output that is shown once more."""

from __future__ import annotations

import pytest

from ssi.client.replay import shown_again


@pytest.mark.parametrize(
    "question",
    [
        b"\x1b[c",
        b"\x1b[>c",
        b"\x1b[0c",
        b"\x1b[6n",
        b"\x1b[?6n",
        b"\x1b[?2026$p",
        b"\x1b[>0q",
        b"\x1b[?u",
        b"\x1b[14t",
        b"\x1b]11;?\x07",
        b"\x1b]4;1;?\x1b\\",
        b"\x1bP+q544e\x1b\\",
        b"\x1bP$qm\x1b\\",
        b"\x05",
    ],
)
def test_what_asks_the_terminal_is_left_out(question: bytes) -> None:
    assert shown_again(b"a" + question + b"b", whole=True) == b"ab"


@pytest.mark.parametrize(
    "text",
    [
        b"\x1b[31mred\x1b[m",
        b"\x1b[?1049h\x1b[2J",
        b"\x1b]0;title\x07",
        b"\x1b[22;0;0t",
        b"\x1b[3;4H\x1b[K",
        b"\x1b[>1u",
        b"plain\r\n",
    ],
)
def test_what_draws_is_kept(text: bytes) -> None:
    assert shown_again(text, whole=True) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"1mcut\r\nline", b"line"),
        (b"\xa4\xbd\x1b[31mred", b"\x1b[31mred"),
        (b"neither", b""),
        (b"", b""),
    ],
)
def test_a_torn_beginning_is_left_out(text: bytes, shown: bytes) -> None:
    assert shown_again(text, whole=False) == shown
