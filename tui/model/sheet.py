"""The process table as lines: the header, and each process in its columns."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.view.quantity import age
from ssi.view.text import plain, width
from tui.model.arrangement import Line
from tui.model.browser import Browser
from tui.model.columns import COLUMNS, ProcessColumn, fitting
from tui.model.entry import Entry
from tui.model.parts import Part, Tone, aligned, wrapped

_STATE_TONES = {"R": Tone.GOOD, "D": Tone.BAD, "Z": Tone.BAD, "T": Tone.WARN, "t": Tone.WARN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns as they stand on a screen of some width.

    Attributes:
        columns: From left to right; the last one takes the rest.
        widths: In cells, of each but the last.
    """

    columns: tuple[ProcessColumn, ...]
    widths: tuple[int, ...]


def layout_of(browser: Browser, screen_width: int, *, has_stale: bool) -> Layout:
    """The layout for a screen; node names and their ages find room."""
    names = browser.columns
    columns = fitting(names, screen_width)
    longest = max((width(plain(node)) for node in browser.census.sheets), default=2)
    node_width = max(COLUMNS["node"].width, min(longest, 16)) + (5 if has_stale else 0)
    widths = tuple(node_width if column.name == "node" else column.width for column in columns[:-1])
    return Layout(columns=tuple(columns), widths=widths)


def header_parts(layout: Layout, browser: Browser) -> list[Part]:
    """The titles; the column that is sorted by bears a mark."""
    choice, parts = browser.choice, []
    for index, column in enumerate(layout.columns):
        is_sorted = column.name == choice.sort and not choice.tree
        title = column.title + (("▽" if choice.descends else "△") if is_sorted else "")
        tone = Tone.SORTED if is_sorted else Tone.HEADER
        if index < len(layout.widths):
            text = aligned(title, layout.widths[index], right=column.right)
            parts.append(Part(f"{text} ", tone))
        else:
            parts.append(Part(title, tone))
    return parts


def column_at(layout: Layout, x: int) -> ProcessColumn:
    """The column whose header is at that cell."""
    right = 0
    for column, cells in zip(layout.columns, layout.widths, strict=False):
        right += cells + 1
        if x < right:
            return column
    return layout.columns[-1]


def row_parts(layout: Layout, line: Line, browser: Browser, stale_s: float | None) -> list[Part]:
    """One process.

    Args:
        layout: Of the columns.
        line: Where it stands.
        browser: That it stands in.
        stale_s: How old it is, where its node no longer answers; None where it does.
    """
    entry, parts = line.entry, []
    greyed = stale_s is not None
    for column, cells in zip(layout.columns, layout.widths, strict=False):
        text = column.cell(entry)
        if column.name == "node" and stale_s is not None:
            text = f"{text} {age(stale_s)}"
        shown = aligned(text, cells, right=column.right)
        parts.append(Part(f"{shown} ", Tone.DIM if greyed else _tone(column, entry)))
    if line.prefix:
        parts.append(Part(line.prefix, Tone.TREE))
    parts += _command(entry, browser, Tone.DIM if greyed else Tone.PLAIN)
    return parts


def whole_command(layout: Layout, entry: Entry, browser: Browser, columns: int) -> list[str]:
    """The command line in as many lines as it takes, each where the command column is."""
    indent = sum(layout.widths) + len(layout.widths)
    texts = wrapped(browser.command(entry), max(columns - indent, 10))
    return [" " * indent + text for text in texts]


def _tone(column: ProcessColumn, entry: Entry) -> Tone:
    if column.name == "s":
        return _STATE_TONES.get(entry.row.state, Tone.DIM)
    if column.name == "cpu":
        return Tone.STRONG if entry.cpu_percent >= 10 else Tone.PLAIN
    if column.name == "gpid":
        return Tone.INFO if entry.row.job else Tone.PLAIN
    if column.name == "user" and entry.row.user == "root":
        return Tone.DIM
    return Tone.PLAIN


def _command(entry: Entry, browser: Browser, tone: Tone) -> list[Part]:
    """The program stands out of its path and arguments, as in htop."""
    text = browser.command(entry)
    if entry.row.thread_of:
        return [Part(text, tone if tone is Tone.DIM else Tone.THREAD)]
    if tone is Tone.DIM or not entry.row.command:
        return [Part(text, Tone.DIM if not entry.row.command else tone)]
    program = plain(entry.row.command[0])
    start = program.rfind("/") + 1 if program.startswith("/") and browser.choice.full_paths else 0
    if browser.choice.merged or not text.startswith(program[: start + 1]):
        return [Part(text, tone)]
    end = text.find(" ")
    end = len(text) if end < 0 else end
    return [Part(text[:start], tone), Part(text[start:end], Tone.PROGRAM), Part(text[end:], tone)]
