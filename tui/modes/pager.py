"""A text in the place of the table: help, details, output of a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ssi.view.text import plain
from tui.bindings import MOVES
from tui.model.parts import Part, Tone, fitted, wrapped
from tui.modes.mode import Answer, Labels

LONGEST: Final = 20_000
"""Lines of a text that grows; the oldest go."""


class Pager:
    """Shows lines and scrolls through them.

    Args:
        title: Above the text.
        lines: So far.
        grows: More may come, at whose end one stays (k9s's keys: s, w, m, 0, 1, ctrl-s).
        save: Keeps the text in a file; says where.
    """

    def __init__(
        self,
        title: str,
        lines: Sequence[str],
        *,
        grows: bool = False,
        save: Callable[[Sequence[str]], str] | None = None,
    ) -> None:
        self.title = title
        self.note = ""
        self._lines = [plain(line) for line in lines]
        self._grows = grows
        self._save = save
        self._at_end = grows
        self._wraps = True
        self._top = 0
        self._height = 20
        self._shown: list[str] = []

    @property
    def labels(self) -> Labels:
        """For the key bar."""
        if not self._grows:
            return (("Esc", "Back"), ("w", "Wrap"), ("ctrl-s", "Save"))
        return (
            ("Esc", "Back"),
            ("s", "Stay at end"),
            ("w", "Wrap"),
            ("m", "Mark"),
            ("0", "End"),
            ("1", "Start"),
            ("ctrl-s", "Save"),
        )

    def add(self, text: str) -> None:
        """More of the text: whole lines, each of which is made plain."""
        self._lines += [plain(line) for line in text.split("\n")]
        del self._lines[:-LONGEST]

    def press(self, key: str) -> Answer | None:
        """Takes a key."""
        if key in {"escape", "q", "f10", "ctrl+c", "enter", "f1"}:
            return Answer()
        deeds = {
            "w": self._wrap,
            "s": self._stay,
            "m": self._mark,
            "0": lambda: self._go(10**9),
            "1": lambda: self._go(-(10**9)),
            "ctrl+s": self._keep,
        }
        if key in deeds and (self._grows or key in {"w", "ctrl+s"}):
            deeds[key]()
        elif key in MOVES or key == "space":
            page = max(self._height - 1, 1)
            far = 10**9
            steps = {"up": -1, "down": 1, "page-up": -page, "page-down": page}
            self._go((steps | {"home": -far, "end": far})[MOVES.get(key, "page-down")])
        return None

    def paste(self, text: str) -> None:
        """A text that is read takes none."""

    def body_lines(self, columns: int, height: int) -> list[list[Part]]:
        """The title, and as much of the text as there is room for."""
        self._height = max(height - 1, 1)
        if self._wraps:
            self._shown = [part for line in self._lines for part in wrapped(line, columns)]
        else:
            self._shown = list(self._lines)
        last = max(len(self._shown) - self._height, 0)
        self._top = last if self._at_end else min(self._top, last)
        seen = self._shown[self._top : self._top + self._height]
        badges = [("stays at end", self._at_end), (self.note, bool(self.note))]
        told = "".join(f"  [{badge}]" for badge, holds in badges if holds)
        head = [Part(f" {self.title}{told}", Tone.HEADER)]
        return [
            fitted(head, columns, Tone.HEADER),
            *(fitted([Part(line)], columns) for line in seen),
        ]

    def _go(self, steps: int) -> None:
        last = max(len(self._shown) - self._height, 0)
        self._top = max(0, min(self._top + steps, last))
        self._at_end = self._grows and self._top == last

    def _wrap(self) -> None:
        self._wraps = not self._wraps

    def _stay(self) -> None:
        self._at_end = not self._at_end

    def _mark(self) -> None:
        self._lines.append("-" * 60)

    def _keep(self) -> None:
        if self._save is not None:
            self.note = self._save(self._lines)
