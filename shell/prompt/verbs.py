"""What the words of a verb of ssi may be, as its completions in other shells have it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("verbs.json")
"""Written by ``completions/generate.py`` from the tree of commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb, or one of a verb's own, which is called ``lab up``.

    Attributes:
        options: What each flag does.
        takes: The kind of the value of each option that has one.
        words: Kinds of its words; the last goes on for ever.
        verbs: Its own.
    """

    name: str
    about: str
    options: Mapping[str, str]
    takes: Mapping[str, str]
    words: tuple[str, ...]
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a word may be.

    Attributes:
        kind: As :data:`ssi.client.candidates.SOURCES` has it, or ``files``, ``command`` (the
            words from ``command_at`` on are a command of its own), ``offers`` or ``nothing``.
        offers: What it may be and what that is, where it can only be one of them.
        prefix: What stands before the value in the word, as ``--color=``.
    """

    kind: str
    offers: Mapping[str, str]
    prefix: str = ""
    command_at: int = 0


@cache
def verbs() -> Mapping[str, Verb]:
    """All verbs by name; the first, without one, is ``ssi`` itself."""
    return parse(TABLE.read_text(encoding="utf-8"))


def parse(text: str) -> Mapping[str, Verb]:
    """The verbs in a table."""
    found = {}
    for row in json.loads(text):
        options = row["options"]
        found[row["name"]] = Verb(
            name=row["name"],
            about=row["about"],
            options={flag: option["about"] for option in options for flag in option["flags"]},
            takes={
                flag: option["takes"]
                for option in options
                if option["takes"]
                for flag in option["flags"]
            },
            words=tuple(row["words"]),
            verbs=tuple(row["verbs"]),
        )
    return found


def wanted(words: Sequence[str], current: str, known: Mapping[str, Verb]) -> Wanted:
    """What may stand where the cursor is.

    Args:
        words: Before it, without ``ssi`` where the line begins with that.
        current: What there is of the word.
        known: All verbs.
    """
    read = _Read(verb=known[""])
    for index, word in enumerate(words):
        read.take(word, known)
        if read.count == 1 and read.verb.words[:1] == ("command",):
            return Wanted(kind="command", offers={}, command_at=index)
    verb = read.verb
    if read.awaited:
        return _value(read.awaited)
    if current.startswith("-") and not read.is_over:
        flag, equals, _ = current.partition("=")
        if equals:
            return _value(verb.takes.get(flag, "nothing"), prefix=f"{flag}=")
        return Wanted(kind="offers", offers=verb.options)
    if verb.verbs and read.count == 0:
        names = {own: known[f"{verb.name} {own}".strip()].about for own in verb.verbs}
        return Wanted(kind="offers", offers=names)
    if not verb.words:
        return Wanted(kind="nothing", offers={})
    kind = verb.words[min(read.count, len(verb.words) - 1)]
    return (
        Wanted(kind=kind, offers={}, command_at=len(words)) if kind == "command" else _value(kind)
    )


@dataclass(slots=True, kw_only=True)
class _Read:
    """The words as far as they were read.

    Attributes:
        count: Of the words that are neither options nor their values.
        awaited: The kind of the value that an option still wants.
        is_over: ``--`` was read: no more options.
    """

    verb: Verb
    count: int = 0
    awaited: str = ""
    is_over: bool = False

    def take(self, word: str, known: Mapping[str, Verb]) -> None:
        if self.awaited:
            self.awaited = ""
        elif word == "--" and not self.is_over:
            self.is_over = True
        elif word.startswith("-") and not self.is_over:
            self.awaited = self.verb.takes.get(word, "")
        elif word in self.verb.verbs and self.count == 0:
            self.verb = known[f"{self.verb.name} {word}".strip()]
        else:
            self.count += 1


def _value(kind: str, prefix: str = "") -> Wanted:
    if kind.startswith("="):
        choices = kind[1:].split(" ")
        return Wanted(kind="offers", offers=dict.fromkeys(choices, ""), prefix=prefix)
    return Wanted(kind=kind, offers={}, prefix=prefix)
