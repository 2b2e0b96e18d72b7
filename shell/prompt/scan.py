"""The words before the cursor, as far as completion needs to know them.

This is no grammar of bash: nothing is executed by what it says. It knows quotes, where a command
begins, and what is behind a redirection; wherever it is wrong, other words are offered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_KEYWORDS: Final = frozenset(
    {"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "coproc"}
)
"""A command begins behind them."""

_PREFIXES: Final = frozenset({"command", "builtin", "exec", "nohup", "env", "sudo", "nice"})
"""Programs whose first word is a command again."""

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*(\[[^]]*\])?\+?=.*", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$\{?(\w*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word as it was typed.

    Attributes:
        start: Where it begins in the text.
        value: It without its quotes and backslashes; nothing in it is expanded.
        offsets: For each character of the value, how much of ``raw`` is behind it.
        quote: The quote that is open at its end, if one is.
    """

    start: int
    raw: str = ""
    value: str = ""
    offsets: tuple[int, ...] = ()
    quote: str = ""

    @property
    def variable(self) -> str | None:
        """The name of a variable that is begun at its end; None where none is."""
        found = None if self.quote == "'" else _VARIABLE.search(self.raw)
        return None if found is None else found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """Where the cursor stands.

    Attributes:
        words: Values of the words of the command before it, from the command's name on.
        current: The word at whose end it stands; empty where it stands behind a blank.
        placement: What stands behind the ``@`` of the command.
        is_redirection: What is typed names the file of a redirection.
        is_comment: Nothing that is typed there means anything.
    """

    words: tuple[str, ...]
    current: Word
    placement: str = ""
    is_redirection: bool = False
    is_comment: bool = False

    @property
    def is_command(self) -> bool:
        """Whether the word is the name of a command."""
        begins = all(word in _PREFIXES for word in self.words)
        return begins and not self.is_redirection

    @property
    def is_placement(self) -> bool:
        """Whether the word says where."""
        begins = self.current.raw.startswith("@") and not self.placement
        return begins and not self.words and not self.is_redirection


def scan(text: str) -> Scanned:
    """The words at the end of a text, which ends where the cursor is."""
    scanner = _Scanner(text)
    while scanner.index < len(text):
        scanner.step()
    return scanner.result()


@dataclass(slots=True)
class _Frame:
    """A command that is being read; one in ``$( )`` is inside another."""

    ends_at: str = ""
    opened: int = 0  # where ``$(`` stands
    words: list[str] = field(default_factory=list)
    placement: str = ""
    is_redirection: bool = False
    quote: str = ""  # that its word is in
    start: int = -1  # of its word; -1 between words
    value: str = ""
    offsets: list[int] = field(default_factory=list)

    def end_word(self, text: str, end: int) -> None:
        if self.start < 0:
            return
        raw, value = text[self.start : end], self.value
        self.start, self.value, self.offsets = -1, "", []
        if self.is_redirection:
            self.is_redirection = False
        elif self.words:
            self.words.append(value)
        elif raw.startswith("@") and not self.placement:
            self.placement = value[1:]
        elif not (raw in _KEYWORDS or _ASSIGNMENT.fullmatch(raw)):
            self.words.append(value)

    def end_command(self, text: str, end: int) -> None:
        self.end_word(text, end)
        self.words, self.placement, self.is_redirection = [], "", False


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.index = 0
        self.frames = [_Frame()]
        self.is_comment = False

    def step(self) -> None:
        """Reads the next character, and what belongs to it."""
        frame, character = self.frames[-1], self.text[self.index]
        if self.is_comment:
            self.is_comment = character != "\n"
            self.index += 0 if character == "\n" else 1
        elif frame.quote == "'":
            self._quoted(character)
        elif character == "\\":
            self._escaped(frame)
        elif self.text.startswith("$(", self.index):
            self._enter(")", 2)
        elif character == "`":
            self._backquote(frame)
        elif frame.quote:
            self._quoted(character)
        else:
            self._bare(frame, character)

    def result(self) -> Scanned:
        frame = self.frames[-1]
        start = frame.start if frame.start >= 0 else len(self.text)
        return Scanned(
            words=tuple(frame.words),
            current=Word(
                start=start,
                raw=self.text[start:],
                value=frame.value,
                offsets=tuple(frame.offsets),
                quote=frame.quote,
            ),
            placement=frame.placement,
            is_redirection=frame.is_redirection,
            is_comment=self.is_comment,
        )

    def _quoted(self, character: str) -> None:
        frame = self.frames[-1]
        if character == frame.quote:
            frame.quote = ""
            self.index += 1
        else:
            self._take(character)

    def _escaped(self, frame: _Frame) -> None:
        behind = self.text[self.index + 1 : self.index + 2]
        if frame.quote and behind not in {'"', "\\", "$", "`", "\n"}:
            self._take("\\")
            return
        self._begin_word()
        self.index += 2
        if behind != "\n":
            self._add(behind)

    def _backquote(self, frame: _Frame) -> None:
        if frame.ends_at == "`":
            self._leave()
        else:
            self._enter("`", 1)

    def _bare(self, frame: _Frame, character: str) -> None:
        if character in "'\"":
            self._begin_word()
            frame.quote = character
            self.index += 1
        elif character in " \t":
            frame.end_word(self.text, self.index)
            self.index += 1
        elif character == ")" and frame.ends_at == ")":
            self._leave()
        elif character in "<>" or self.text.startswith(("&>", "&<"), self.index):
            self._redirection(frame)
        elif character in "\n;&|()":
            frame.end_command(self.text, self.index)
            self.index += 1
        elif character == "#" and frame.start < 0:
            self.is_comment = True
        else:
            self._take(character)

    def _redirection(self, frame: _Frame) -> None:
        if frame.start >= 0 and self.text[frame.start : self.index].isdigit():
            frame.start, frame.value, frame.offsets = -1, "", []  # the descriptor
        frame.end_word(self.text, self.index)
        while self.text[self.index : self.index + 1] in {"<", ">", "&", "|"}:
            self.index += 1
        if self.text.startswith("(", self.index):  # <(command)
            self._enter(")", 1)
        else:
            frame.is_redirection = True

    def _enter(self, ends_at: str, length: int) -> None:
        """Begins ``$( )``, which is a part of a word around it."""
        self._begin_word()
        self.frames.append(_Frame(ends_at=ends_at, opened=self.index))
        self.index += length

    def _leave(self) -> None:
        self.index += 1
        opened = self.frames.pop().opened
        self._add(self.text[opened : self.index])

    def _begin_word(self) -> None:
        frame = self.frames[-1]
        if frame.start < 0:
            frame.start = self.index

    def _take(self, character: str) -> None:
        self._begin_word()
        self.index += 1
        self._add(character)

    def _add(self, character: str) -> None:
        frame = self.frames[-1]
        frame.value += character
        frame.offsets += [self.index - frame.start] * len(character)
