"""What a word may become, in the order in which it is offered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MOST: Final = 300
"""More than a person looks through."""

_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One of them.

    Attributes:
        value: The whole word, without quotes.
        about: What that is.
        is_whole: It is complete, so that a space comes after it.
    """

    value: str
    about: str = ""
    is_whole: bool = True


def ranked(found: Iterable[Candidate], typed: str) -> list[Candidate]:
    """Those that begin with what was typed, each once, the best first.

    Upper and lower case are the same only where nothing fits otherwise; what begins with ``_`` or
    ``.`` is for whoever types that. Numbers within names count as numbers: n2 is before n10.
    """
    kept: dict[str, Candidate] = {}
    for each in found:
        kept.setdefault(each.value, each)
    fitting = [each for each in kept.values() if each.value.startswith(typed)]
    if not fitting:
        folded = typed.casefold()
        fitting = [each for each in kept.values() if each.value.casefold().startswith(folded)]
    if not typed[typed.rfind("/") + 1 :]:
        shown = [each for each in fitting if not _last(each.value).startswith(("_", "."))]
        fitting = shown or fitting
    return sorted(fitting, key=lambda each: _natural(each.value))[:MOST]


def _last(value: str) -> str:
    """The last part of a path."""
    return value.rstrip("/").rpartition("/")[2]


def _natural(value: str) -> list[tuple[int, int, str]]:
    parts = _DIGITS.split(value)
    return [(0, int(each), "") if each.isdecimal() else (1, 0, each.casefold()) for each in parts]
