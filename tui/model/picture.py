"""The process table as it is drawn: which part of it is seen, and what stands where. Pure."""

from __future__ import annotations

from tui.model.browser import Browser, window
from tui.model.columns import ProcessColumn
from tui.model.parts import Part, Tone, fitted
from tui.model.sheet import Layout, column_at, header_parts, layout_of, row_parts, whole_command


class Picture:
    """Draws a browser, and knows afterwards what is at which place.

    Attributes:
        top: Index of the first line that is seen.
    """

    def __init__(self, browser: Browser) -> None:
        self.top = 0
        self._browser = browser
        self._layout = Layout(columns=(), widths=())

    def body_lines(self, columns: int, height: int, now_s: float) -> list[list[Part]]:
        """The header, and as many processes as there is room for."""
        browser = self._browser
        ages = {
            name: browser.census.age_s(name, now_s)
            for name in browser.census.sheets
            if browser.census.is_stale(name, now_s)
        }
        layout = self._layout = layout_of(browser, columns, has_stale=bool(ages))
        room = max(height - 1, 1)
        self.top = window(self.top, browser.cursor, room, len(browser.lines))
        drawn = [fitted(header_parts(layout, browser), columns, Tone.HEADER)]
        for index, line in enumerate(browser.lines[self.top : self.top + room], self.top):
            parts = row_parts(layout, line, browser, ages.get(line.entry.node))
            chosen = index == browser.cursor
            tagged = line.entry.identity in browser.tags
            tone = Tone.CURSOR if chosen else Tone.TAGGED if tagged else None
            if tone is not None:
                parts = [Part(part.text, tone) for part in parts]
            drawn.append(fitted(parts, columns, tone or Tone.PLAIN))
            if chosen and browser.choice.wrapped:
                more = whole_command(layout, line.entry, browser, columns)[1:]
                drawn += [fitted([Part(text, Tone.CURSOR)], columns) for text in more]
        return drawn

    def column_at(self, x: int) -> ProcessColumn | None:
        """The column whose header is there; None before anything was drawn."""
        return column_at(self._layout, x) if self._layout.columns else None

    def line_at(self, y: int) -> int | None:
        """Index of the line that is drawn there; None where there is none."""
        index = self.top + y - 1
        return index if 0 <= index < len(self._browser.lines) else None
