"""A table as text: columns as wide as their cells need, the last one cut at the terminal's edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssi.view.text import cut, plain, width

GAP = " "


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How one column stands.

    Attributes:
        title: Its header.
        right: Numbers stand on the right.
        min_width: In cells, so that a table that is drawn again and again does not jump.
    """

    title: str
    right: bool = False
    min_width: int = 0


def render_table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    width_cells: int | None = None,
    headers: bool = True,
) -> str:
    """The lines of a table, each ended, with no blanks at their ends.

    Args:
        columns: At least one.
        rows: One cell for each column. Every cell is made plain here.
        width_cells: Of the terminal; None for as much as it takes.
        headers: Whether the titles stand above.
    """
    if not rows and not headers:
        return ""
    titles = [tuple(column.title for column in columns)] if headers else []
    # By column and not by row: two calls in C look at a whole column at once, and one more fills a
    # line. 480 processes take 1.5 ms this way, a fourth of what row by row takes.
    padded = [
        _padded(column, cells, last=index == len(columns) - 1)
        for index, (column, cells) in enumerate(
            zip(columns, zip(*titles, *rows, strict=True), strict=True)
        )
    ]
    lines = [line.rstrip() for line in map(GAP.join, zip(*padded, strict=True))]
    if width_cells is not None:
        lines = [cut(line, width_cells) for line in lines]
    return "\n".join(lines) + "\n"


def _padded(column: Column, cells: Sequence[str], *, last: bool) -> Sequence[str]:
    """The cells of a column, plain, and all of one width unless they end the line."""
    joined = "".join(cells)
    if not joined.isprintable():
        cells = [plain(cell) for cell in cells]
    if last and not column.right:
        return cells
    if joined.isascii():
        size = max(column.min_width, *map(len, cells), 0)
        adjust = str.rjust if column.right else str.ljust
        return [adjust(cell, size) for cell in cells]
    widths = [width(cell) for cell in cells]
    size = max(column.min_width, *widths, 0)
    blanks = [" " * (size - taken) for taken in widths]
    if column.right:
        return [blank + cell for blank, cell in zip(blanks, cells, strict=True)]
    return [cell + blank for blank, cell in zip(blanks, cells, strict=True)]
