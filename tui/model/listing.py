"""A table that is not of processes: jobs, nodes, GPUs, events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssi.view.table import Column
from ssi.view.text import plain, width
from tui.model.browser import window
from tui.model.entry import Target
from tui.model.parts import Part, Tone, aligned, fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRow:
    """One line.

    Attributes:
        key: What it is, also when it stands elsewhere next time.
        target: What an action on it is for; None where it is no job.
        node: That an action on it is for.
    """

    key: object
    cells: tuple[str, ...]
    tone: Tone = Tone.PLAIN
    target: Target | None = None
    node: str = ""


class Listing:
    """Rows with a cursor, which stays on what it is on."""

    def __init__(self, columns: Sequence[Column], empty: str, *, from_end: bool = False) -> None:
        self.rows: list[ListRow] = []
        self.cursor = 0
        self._columns = tuple(columns)
        self._empty = empty
        self._at_end = from_end
        self._top = 0

    @property
    def current(self) -> ListRow | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def fill(self, rows: Sequence[ListRow]) -> None:
        """Takes other rows."""
        before = self.current
        self.rows = list(rows)
        last = len(self.rows) - 1
        kept = [i for i, row in enumerate(self.rows) if before and row.key == before.key]
        self.cursor = last if self._at_end else kept[0] if kept else min(self.cursor, last)
        self.cursor = max(self.cursor, 0)

    def move(self, way: str, page: int) -> None:
        """Moves the cursor, by a word of :data:`tui.bindings.MOVES`."""
        last = max(len(self.rows) - 1, 0)
        steps = {"up": -1, "down": 1, "page-up": -page, "page-down": page}
        far = {"home": -last, "end": last}
        self.cursor = max(0, min(self.cursor + (steps | far)[way], last))
        self._at_end = self._at_end and self.cursor == last

    def body_lines(self, columns: int, height: int) -> list[list[Part]]:
        """The header, and as many rows as there is room for."""
        room = max(height - 1, 1)
        self._top = window(self._top, self.cursor, room, len(self.rows))
        seen = self.rows[self._top : self._top + room]
        widths = [
            max([width(column.title), *(width(plain(row.cells[i])) for row in seen)])
            for i, column in enumerate(self._columns)
        ]
        head = " ".join(
            aligned(column.title, cells, right=column.right)
            for column, cells in zip(self._columns, widths, strict=True)
        )
        lines = [fitted([Part(head, Tone.HEADER)], columns, Tone.HEADER)]
        if not self.rows:
            lines.append(fitted([Part(f" {self._empty}", Tone.DIM)], columns))
        for index, row in enumerate(seen, self._top):
            text = " ".join(
                aligned(plain(cell), cells, right=column.right)
                for column, cell, cells in zip(self._columns, row.cells, widths, strict=True)
            )
            tone = Tone.CURSOR if index == self.cursor else row.tone
            lines.append(fitted([Part(text, tone)], columns, tone))
        return lines
