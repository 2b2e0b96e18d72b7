"""What a terminal says was pasted, as it comes into the line."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 200_000
"""Characters; more than that is no line that a person edits."""

_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def cleaned(pasted: str) -> str:
    """The text without what a page may have hidden in it: controls, and a newline at its end.

    Rows end with a newline, whatever they ended with.
    """
    text = pasted.replace("\r\n", "\n").replace("\r", "\n")
    return _UNSEEN.sub("", text).rstrip("\n")


def rows(text: str) -> int:
    """Rows of a text that have something in them."""
    return sum(1 for row in text.split("\n") if row.strip())
