"""What is told to the terminal itself: its title, and where prompts and outputs begin and end."""

from __future__ import annotations

from typing import Final

from ssi.view.text import cut, plain

TITLE_CELLS: Final = 120

PROMPT_BEGINS: Final = "\x1b]133;A\x07"
LINE_BEGINS: Final = "\x1b]133;B\x07"
OUTPUT_BEGINS: Final = "\x1b]133;C\x07"

_WITHOUT: Final = frozenset({"", "dumb", "linux", "unknown", "cons25", "vt100", "vt220"})
"""Terminals that would show these instead of obeying them, or that have no title."""


def knows_marks(term: str) -> bool:
    """Whether a terminal of that name (``$TERM``) can be told such things."""
    return term not in _WITHOUT


def title(text: str) -> str:
    """Puts a text into the title (OSC 2). It may come from anywhere: it cannot end the title."""
    return f"\x1b]2;{cut(plain(text), TITLE_CELLS)}\x07"


def output_ends(status: int) -> str:
    """The output of the last line ends here, and how it fared (OSC 133 D)."""
    return f"\x1b]133;D;{status}\x07"


def fresh_line(columns: int, *, is_ascii: bool) -> str:
    """Takes the cursor to the start of a line, and shows where a line had no end.

    Source: PROMPT_SP of zsh(1). The sign and the blanks after it fill exactly one row: where the
    cursor was at its start they are drawn over by the prompt, else they push it into the next.
    """
    sign = "%" if is_ascii else "\u23ce"
    return f"\x1b[2m{sign}\x1b[0m{' ' * (columns - 1)}\r\x1b[K"
