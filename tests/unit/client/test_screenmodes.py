"""What is switched off again at the terminal of somebody who leaves a program running."""

from __future__ import annotations

import pytest

from ssi.client.screenmodes import ScreenModes


def undo(*pieces: bytes) -> bytes:
    modes = ScreenModes()
    for piece in pieces:
        modes.feed(piece)
    return modes.undo()


@pytest.mark.parametrize(
    ("output", "undone"),
    [
        (b"plain text\r\n\x1b[31mred\x1b[m", b""),
        (b"\x1b[?1049h", b"\x1b[?1049l\x1b[m"),
        (b"\x1b[?1049h\x1b[?1049l", b""),
        (b"\x1b[?25l", b"\x1b[?25h\x1b[m"),
        (b"\x1b[?1049h\x1b[?25l", b"\x1b[?1049l\x1b[?25h\x1b[m"),
        (b"\x1b[?1002;1006h", b"\x1b[?1002l\x1b[?1006l\x1b[m"),
        (b"\x1b[?1h\x1b=", b"\x1b[?1l\x1b>\x1b[m"),
        (b"\x1b[?2004h\x1bc", b""),
        (b"\x1b[?12h", b""),
    ],
)
def test_what_was_switched_is_switched_back_and_nothing_else(output: bytes, undone: bytes) -> None:
    assert undo(output) == undone


@pytest.mark.parametrize("at", range(1, 8))
def test_sequence_may_be_cut_anywhere(at: int) -> None:
    whole = b"\x1b[?1049h"
    assert undo(b"text" + whole[:at], whole[at:] + b"more") == b"\x1b[?1049l\x1b[m"
