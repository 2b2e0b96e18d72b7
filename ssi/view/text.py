"""Text that is safe on a terminal, and how many cells it takes there."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

_JOINERS: Final = frozenset("\u200c\u200d")
"""Format characters that scripts and emoji need, and that move nothing."""

_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, bidirectional and other format marks, surrogates, unassigned, line separators."""

_SHORT: Final = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def plain(text: str) -> str:
    r"""The text with everything that a terminal might obey written out, as ``\x1b`` or ``\u202e``.

    A byte that was no UTF-8 (a surrogate, by ``surrogateescape``) becomes ``\xNN``. The result is
    never markup for anybody, and is idempotent.
    """
    if text.isprintable():  # in C; true for nearly everything
        return text
    return "".join(map(_plain_character, text))


def width(text: str) -> int:
    """Cells that the text takes on a terminal, as wcwidth(3) counts them. The text is plain."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def cut(text: str, cells: int) -> str:
    """As much from the start of the text as fits into so many cells, accents not torn off."""
    if len(text) <= cells and text.isascii():
        return text
    if text.isascii():
        return text[:cells]
    used = 0
    for index, character in enumerate(text):
        used += _character_width(character)
        if used > cells:
            return text[:index]
    return text


def _plain_character(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE or character in _JOINERS:
        return character
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


@lru_cache(maxsize=4096)
def _character_width(character: str) -> int:
    """0 for what is drawn over its neighbour, 2 for wide East Asian letters and emoji, else 1."""
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    if "\u1160" <= character <= "\u11ff":  # vowels and finals of Hangul join the letter before
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
