"""How a word that was found is written into the line, in the quotes that were begun there."""

from __future__ import annotations

import re
from typing import Final

from shell.prompt.scan import Word

_SPECIAL: Final = re.compile(r"[^\w@%+=:,./^~\-\u0080-\U0010ffff]", re.ASCII)
_IN_DOUBLE: Final = re.compile(r'[\\"$`]')
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SHORT: Final = {"\n": "\\n", "\t": "\\t", "\\": "\\\\", "'": "\\'"}


def written(value: str, word: Word, *, is_whole: bool) -> str:
    """What replaces the word so that it has the value.

    What was typed up to the last slash that both have in common is kept as it is, for only that
    way ``$HOME/`` and ``~/`` stay what they are.

    Args:
        value: Of the word that was found, without quotes.
        word: What was typed.
        is_whole: Nothing will be added to it, so that its quote is closed.
    """
    head = _common_head(value, word.value)
    kept, quote = _kept(word, head)
    tail = value[head:]
    if _CONTROL.search(tail):
        return f"{kept}{quote}{_ansi(tail)}"
    is_tilde = not kept and tail.startswith("~") and not word.value.startswith("~")
    text = ("\\" if is_tilde else "") + _escaped(tail, quote)
    return kept + text + (quote if is_whole else "")


def _common_head(value: str, typed: str) -> int:
    """Up to which character both are the same, ending with a slash."""
    end = typed.rfind("/") + 1
    return end if value.startswith(typed[:end]) else 0


def _kept(word: Word, head: int) -> tuple[str, str]:
    """What stays of what was typed, and the quote that is open behind it."""
    end = word.offsets[head - 1] if head else 0
    kept, rest = word.raw[:end], word.raw[end:]
    if word.quote and rest.startswith(word.quote):
        return kept + word.quote, word.quote
    if word.quote in rest:  # it was opened in what is replaced
        return kept, ""
    return kept, word.quote


def _escaped(text: str, quote: str) -> str:
    if quote == "'":
        return text.replace("'", "'\\''")
    special = _IN_DOUBLE if quote else _SPECIAL
    return special.sub(lambda found: f"\\{found[0]}", text)


def _ansi(text: str) -> str:
    """In ``$''``, where no character of it can do anything to a terminal."""
    shown = (
        _SHORT.get(each) or (f"\\x{ord(each):02x}" if _CONTROL.match(each) else each)
        for each in text
    )
    return f"$'{''.join(shown)}'"
