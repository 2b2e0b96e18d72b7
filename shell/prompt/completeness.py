"""Whether a text needs nobody to ask before it is run."""

from __future__ import annotations

import re
from typing import Final

_SIMPLE: Final = re.compile(r"[\w ./:,=+@%~-]*")
_OPENING: Final = frozenset(
    {"if", "then", "else", "elif", "do", "while", "until", "for", "case", "select", "function"}
    | {"coproc", "time"}
)


def is_surely_complete(text: str) -> bool:
    """Whether the text is one row of plain words, which bash cannot want more of.

    That is most of what people type, and saves them the time that asking takes.
    """
    return _SIMPLE.fullmatch(text) is not None and not _OPENING & set(text.split())
