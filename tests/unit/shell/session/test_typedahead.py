"""Keys of before, as a terminal that gives lines would have given them."""

from __future__ import annotations

import os
import signal
import termios

import pytest

from shell.session.typedahead import TypedAhead, as_lines, came_untreated


def usual_characters() -> list[bytes]:
    master, slave = os.openpty()
    try:
        characters: list[bytes] = termios.tcgetattr(slave)[6]
        return characters
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (b"hello\r", b"hello\n"),
        (b"one\rtwo\rthr", b"one\ntwo\nthr"),
        ("né\x7fe\r".encode(), b"ne\n"),
        (b"\x7fa\r\x7f", b"a\n"),
        (b"all wrong\x15right\r", b"right\n"),
        (b"two words\x17more\r", b"two more\n"),
        (b"a\x04b\r", b"ab\n"),
    ],
)
def test_enter_is_a_newline_and_what_edits_has_edited(keys: bytes, text: bytes) -> None:
    assert as_lines(keys, usual_characters()) == TypedAhead(text=text)


def test_control_d_at_the_beginning_of_a_line_ends_all() -> None:
    ahead = as_lines(b"a\r\x04b\r", usual_characters())
    assert ahead == TypedAhead(text=b"a\n", ended=True)


@pytest.mark.parametrize(
    ("key", "number"),
    [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT), (b"\x1a", signal.SIGTSTP)],
)
def test_a_key_that_is_a_signal_takes_what_was_before_it(key: bytes, number: int) -> None:
    ahead = as_lines(b"old\rol" + key + b"new\r", usual_characters())
    assert ahead == TypedAhead(text=b"new\n", signal=number)


def test_a_character_that_is_switched_off_is_none() -> None:
    characters = usual_characters()
    characters[termios.VINTR] = b"\0"
    assert as_lines(b"\x03\0\r", characters) == TypedAhead(text=b"\x03\0\n")


def test_what_a_terminal_treated_ends_with_a_newline() -> None:
    assert came_untreated(b"hello\r")
    assert came_untreated(b"hel")
    assert not came_untreated(b"hello\n")
