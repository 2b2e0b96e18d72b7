"""Keys that were typed before a program had the terminal, as a terminal gives them by lines. Pure.

While a line is edited the terminal gives every key as it is: Enter is a carriage return, ``^C``
and ``^D`` are bytes, and nothing is echoed. What is typed behind a line's Enter may still come so.

Source: termios(3), Linux ``drivers/tty/n_tty.c``.
"""

from __future__ import annotations

import signal
import termios
from dataclasses import dataclass
from typing import Final

_SIGNALS: Final = (
    (termios.VINTR, signal.SIGINT),
    (termios.VQUIT, signal.SIGQUIT),
    (termios.VSUSP, signal.SIGTSTP),
)
_RETURN: Final = b"\r"
_NEWLINE: Final = b"\n"
_DISABLED: Final = b"\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedAhead:
    """What a program gets of such keys.

    Attributes:
        text: Lines, and what there is of one that was begun.
        ended: ``^D`` was typed behind it, at the beginning of a line: nothing follows.
        signal: The last key that was none but a signal, which took what was before it; 0 for none.
    """

    text: bytes = b""
    ended: bool = False
    signal: int = 0


def came_untreated(keys: bytes) -> bool:
    """Whether what a terminal gave at once, which gives lines now, was typed before it did."""
    return not keys.endswith(_NEWLINE)


def as_lines(keys: bytes, characters: list[bytes]) -> TypedAhead:
    """What becomes of keys at a terminal that gives lines.

    Args:
        keys: As they were typed.
        characters: The terminal's special ones, as ``termios.tcgetattr`` has them.
    """
    signals = {_key(characters, index): number for index, number in _SIGNALS}
    end, kill = _key(characters, termios.VEOF), _key(characters, termios.VKILL)
    word, erase = _key(characters, termios.VWERASE), _key(characters, termios.VERASE)
    lines, line, number = b"", b"", 0
    for key in (keys[at : at + 1] for at in range(len(keys))):
        if key in signals:
            lines, line, number = b"", b"", signals[key]
        elif key in (_RETURN, _NEWLINE):
            lines, line = lines + line + _NEWLINE, b""
        elif key == erase:
            line = line.decode("utf-8", "surrogateescape")[:-1].encode("utf-8", "surrogateescape")
        elif key == kill:
            line = b""
        elif key == word:
            line = line[: line.rstrip().rfind(b" ") + 1]
        elif key == end and not line:
            return TypedAhead(text=lines, ended=True, signal=number)
        elif key == end:
            lines, line = lines + line, b""
        else:
            line += key
    return TypedAhead(text=lines + line, signal=number)


def _key(characters: list[bytes], index: int) -> bytes:
    """A special character; none that can be typed where it is switched off."""
    return characters[index] if characters[index] != _DISABLED else b"none"
