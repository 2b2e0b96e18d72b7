"""A list at the side of the table, which stays in sight: of signals, columns, users or nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

from ssi.view.text import width
from tui.bindings import MOVES
from tui.model.browser import window
from tui.model.parts import Part, Tone, fitted
from tui.modes.mode import Answer, Labels

_LARGEST_WIDTH: Final = 64

LEAST_OPTIONS: Final = 2
"""Lines of the list that are seen however low the screen is; what is chosen is among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One line to choose.

    Attributes:
        value: What choosing it answers.
        notes: Smaller lines below it.
        refused: It cannot be chosen; the notes say why.
    """

    value: object
    label: str
    notes: tuple[str, ...] = ()
    refused: bool = False


class Panel:
    """A list with a cursor; what is typed goes to the first label that has it, or narrows the list.

    Args:
        title: Above the list.
        about: Lines below the title, such as whom it is about.
        verb: What Enter does.
        cancel: What Escape does.
        narrows: Only what has the letters typed so far is shown, and Enter takes nothing else.
    """

    def __init__(
        self,
        title: str,
        options: Sequence[Option],
        *,
        about: Sequence[str] = (),
        verb: str = "Choose",
        cancel: str = "Cancel",
        cursor: int = 0,
        narrows: bool = False,
    ) -> None:
        self.options = list(options)
        self._all = tuple(options) if narrows else None
        self.cursor = max(0, min(cursor, len(self.options) - 1))
        self._title = title
        self._about = tuple(about)
        self._verb = verb
        self._cancel = cancel
        self._typed = ""

    @property
    def labels(self) -> Labels:
        """For the key bar."""
        return (("Enter", self._verb), ("Esc", self._cancel))

    @property
    def columns(self) -> int:
        """How wide it wants to be."""
        options = self._all or self.options
        lines = [self._title, *self._about, *(f" {each.label}" for each in options)]
        lines += [f"    {note}" for each in options for note in each.notes]
        return min(max(map(width, lines), default=10) + 2, _LARGEST_WIDTH)

    def press(self, key: str) -> Answer | None:
        """Takes a key; the value of the option that was chosen."""
        if key in {"escape", "f10", "ctrl+c"}:
            return Answer()
        if key == "enter":
            chosen = self.options[self.cursor] if self.options else None
            return Answer(chosen.value) if chosen is not None and not chosen.refused else None
        if key == "backspace" and self._all is not None:
            self._narrow(self._typed[:-1])
        elif key in MOVES:
            if self._all is None:
                self._typed = ""
            self._move(MOVES[key])
        elif len(key) == 1 or key == "space":
            self._find(" " if key == "space" else key)
        return None

    def paste(self, text: str) -> None:
        """Looks for the text."""
        for character in text:
            self._find(character)

    def side_lines(self, columns: int, height: int) -> list[list[Part]]:
        """The list as it is drawn."""
        title = f"{self._title}: {self._typed}" if self._all is not None else self._title
        head = [fitted([Part(f" {title}", Tone.HEADER)], columns, Tone.HEADER)]
        for line in self._about:
            head += [
                fitted([Part(f" {part}", Tone.STRONG)], columns)
                for part in wrap(line, max(columns - 2, 10))
            ]
        body: list[list[Part]] = []
        at_cursor = 0
        for index, option in enumerate(self.options):
            if index == self.cursor:
                at_cursor = len(body)
            body += self._drawn(option, columns, chosen=index == self.cursor)
        if len(head) > (most := max(height - LEAST_OPTIONS, 1)):
            head = head[1:][:most]  # whom it is about matters more than the title
        room = max(height - len(head), 1)
        last = min(at_cursor + min(2, room - 1), len(body) - 1)
        top = window(0, max(last, 0), room, len(body))
        return [*head, *body[top : top + room]]

    def _drawn(self, option: Option, columns: int, *, chosen: bool) -> list[list[Part]]:
        tone = Tone.CURSOR if chosen else Tone.DIM if option.refused else Tone.PLAIN
        lines = [fitted([Part(f" {option.label}", tone)], columns, tone)]
        for note in option.notes:
            for text in wrap(note, max(columns - 5, 10)):
                lines.append(fitted([Part(f"    {text}", Tone.DIM)], columns))
        return lines

    def _move(self, way: str) -> None:
        last = max(len(self.options) - 1, 0)
        steps = {"up": -1, "down": 1, "page-up": -10, "page-down": 10, "home": -last, "end": last}
        self.cursor = max(0, min(self.cursor + steps[way], last))

    def _narrow(self, typed: str) -> None:
        """Shows what has those letters, names that begin so before others."""
        wanted = typed.casefold()
        found = [each for each in self._all or () if wanted in each.label.casefold()]
        found.sort(key=lambda each: not each.label.casefold().startswith(wanted))
        self.options, self.cursor, self._typed = found, 0, typed

    def _find(self, character: str) -> None:
        """Goes to the option that the letters so far fit, beginning anew where none does."""
        if self._all is not None:
            self._narrow(self._typed + character)
            return
        labels = [option.label.casefold() for option in self.options]
        for typed in (self._typed + character, character):
            wanted = typed.casefold()
            begins = (i for i, label in enumerate(labels) if _begins(label, wanted))
            holds = (i for i, label in enumerate(labels) if wanted in label)
            index = next(begins, next(holds, None))
            if index is not None:
                self.cursor, self._typed = index, typed
                return
        self._typed = ""


def _begins(label: str, wanted: str) -> bool:
    return any(word.startswith((wanted, f"sig{wanted}")) for word in label.split())
