"""A line of the screen before it is drawn: pieces of text, each with what it means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from ssi.view.text import cut, plain, width


class Tone(StrEnum):
    """What a piece of text means; the theme says how that looks."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    INFO = "info"
    HEADER = "header"
    SORTED = "sorted"
    CURSOR = "cursor"
    TAGGED = "tagged"
    KEY = "key"
    LABEL = "label"
    BADGE = "badge"
    ALARM = "alarm"
    PROGRAM = "program"
    THREAD = "thread"
    TREE = "tree"


class Part(NamedTuple):
    """A piece of text and what it means. The text is plain."""

    text: str
    tone: Tone = Tone.PLAIN


Parts: TypeAlias = Sequence[Part]


def text_of(parts: Iterable[Part]) -> str:
    """The line without its meaning."""
    return "".join(part.text for part in parts)


def fitted(parts: Iterable[Part], cells: int, fill: Tone = Tone.PLAIN) -> list[Part]:
    """The line cut or filled up to exactly so many cells, with nothing a terminal may obey."""
    line: list[Part] = []
    room = cells
    for part in parts:
        text = cut(plain(part.text), room)
        room -= width(text)
        line.append(Part(text, part.tone))
        if room <= 0:
            break
    if room > 0:
        line.append(Part(" " * room, fill))
    return line


def aligned(text: str, cells: int, *, right: bool) -> str:
    """The text in a column of so many cells, cut where it is longer."""
    text = cut(text, cells)
    blank = " " * (cells - width(text))
    return blank + text if right else text + blank


def wrapped(text: str, cells: int) -> list[str]:
    """The text in lines of at most so many cells; at least one line."""
    lines = []
    while width(text) > cells:
        line = cut(text, cells) or text[:1]
        lines.append(line)
        text = text[len(line) :]
    return [*lines, text]
