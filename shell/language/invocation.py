"""How the shell was called, as bash is: ``-c LINE``, ``FILE ARGS``, or with lines on its stdin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ssi.model.errors import UsageError

_WITH_VALUE: Final = frozenset({"--rcfile", "--init-file"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """See the module.

    Attributes:
        kind: Where the lines come from.
        options: For bash, without ``-c`` and ``-s``.
        text: The line of ``-c``, or the name of the file.
        arguments: ``$1`` and so on; of ``-c`` the first is ``$0``.
        node: Where it is to begin; empty for where it suits.
    """

    kind: Literal["command", "file", "stdin"]
    options: tuple[str, ...] = ()
    text: str = ""
    arguments: tuple[str, ...] = ()
    node: str = ""

    @property
    def is_talk(self) -> bool:
        """Whether lines are to be asked for, where there is somebody to ask."""
        short = [word for word in self.options if word != "--login"]
        letters = {letter for word in short for letter in word.removeprefix("-")}
        return self.kind == "stdin" and not self.arguments and letters <= {"i", "l"}


def parse_invocation(words: Sequence[str]) -> Invocation:
    """What the words after ``ssi`` ask for.

    Raises:
        UsageError: Something that belongs to an option is missing.
    """
    waiting = list(words)
    node = ""
    options: list[str] = []
    letters: set[str] = set()
    while waiting and waiting[0][:1] in {"-", "+"} and len(waiting[0]) > 1:
        word = waiting.pop(0)
        if word == "--":
            break
        if word.startswith("--node"):
            node = word.partition("=")[2] or _value(word, waiting)
        elif word.startswith("--"):
            options += [word, _value(word, waiting)] if word in _WITH_VALUE else [word]
        else:
            letters |= set(word[1:]) if word[0] == "-" else set()
            kept = "".join(letter for letter in word[1:] if letter not in "cs")
            values = [_value(word, waiting) for letter in kept if letter in "oO"]
            if kept:
                options += [word[0] + kept, *values]
    if waiting[:1] == ["-"]:
        del waiting[0]
    if "c" in letters:
        text = _value("-c", waiting)
        return Invocation(
            kind="command",
            options=tuple(options),
            text=text,
            arguments=tuple(waiting),
            node=node,
        )
    if waiting and "s" not in letters:
        file, *arguments = waiting
        return Invocation(
            kind="file",
            options=tuple(options),
            text=file,
            arguments=tuple(arguments),
            node=node,
        )
    return Invocation(
        kind="stdin",
        options=tuple(options),
        arguments=tuple(waiting),
        node=node,
    )


def _value(option: str, waiting: list[str]) -> str:
    if not waiting:
        raise UsageError(text=f"{option}: option requires an argument", hint="as bash has it")
    return waiting.pop(0)
