"""Words to ssi itself among the keys that a person types to a job, as ssh has them. Pure.

An escape is two keys at the beginning of a line. Which keys begin a line is known from what was
typed alone, so it does not matter what becomes of links meanwhile.

Source: ssh(1), "Escape characters".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

from ssi.model.errors import UsageError

_LINE_ENDS: Final = b"\r\n"
NO_ESCAPE: Final = "none"


class Word(StrEnum):
    """What a person says to ssi."""

    LEAVE = "leave"
    DISOWN = "disown"
    HELP = "help"


WORDS: Final = {b".": Word.LEAVE, b"d": Word.DISOWN, b"?": Word.HELP}

Typed: TypeAlias = bytes | Word
"""Keys for the job, or a word for us."""


class Escapes:
    """Takes the words out of what is typed."""

    def __init__(self, escape: bytes) -> None:
        """``escape`` is one byte, or empty: then all keys are the job's."""
        self._escape = escape
        self._line_begins = True
        self._escaped = False

    def feed(self, keys: bytes) -> list[Typed]:
        """What was typed, in its order; an escape whose second key is to come is held back."""
        if not self._escape:
            return [keys] if keys else []
        typed: list[Typed] = []
        passed = bytearray()
        for key in (keys[at : at + 1] for at in range(len(keys))):
            if self._escaped:
                self._escaped = False
                if key in WORDS:
                    if passed:
                        typed.append(bytes(passed))
                        passed.clear()
                    typed.append(WORDS[key])
                    self._line_begins = True
                    continue
                if key != self._escape:
                    passed += self._escape
            elif self._line_begins and key == self._escape:
                self._escaped = True
                continue
            passed += key
            self._line_begins = key in _LINE_ENDS
        if passed:
            typed.append(bytes(passed))
        return typed


def parse_escape(text: str) -> bytes:
    """The escape character that a person named: one character, ``^X``, or ``none``.

    Raises:
        UsageError: It is none of these.
    """
    if text == NO_ESCAPE:
        return b""
    if len(text) == 2 and text[0] == "^" and "@" <= text[1].upper() <= "_":
        return bytes([ord(text[1].upper()) ^ 0x40])
    if len(text) == 1 and " " < text < "\x7f":
        return text.encode()
    raise UsageError(
        text=f"{text!r} is no escape character", hint="give one character, ^X, or none"
    )


def help_text(escape: bytes) -> str:
    """The list of escapes, as a person sees it."""
    key = escape.decode("ascii")
    sign = key if key > " " else f"^{chr(ord(key) ^ 0x40)}"
    return "\n".join(
        (
            "ssi takes these at the beginning of a line:",
            f"  {sign}.  leave; a job that is not disowned then ends by SIGHUP after its lease",
            f"  {sign}d  leave, and let the job go on",
            f"  {sign}?  this list",
            f"  {sign}{sign}  one {sign} for the job",
        )
    )
