"""A widget of lines: what each says is decided elsewhere, and only lines that changed are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.model.parts import Part, Tone, fitted
from tui.theme import THEMES

Draw: TypeAlias = Callable[[int, int], list[list[Part]]]
"""The lines for so many columns and lines."""

LAYOUT: Final = """
Screen { layout: vertical; overflow: hidden; }
#cards, #badges, #bottom { height: 1; }
#side { width: 24; display: none; }
#middle { height: 1fr; }
"""
"""How the parts of the screen lie."""


def styles_of(theme: str) -> Mapping[Tone, Style]:
    """How each tone looks in a theme."""
    return {tone: Style.parse(text) for tone, text in THEMES[theme].items()}


class Lines(Widget):
    """Draws lines by Textual's line API.

    Args:
        draw: Is asked for all lines whenever something may have changed.
        styles_of: How tones look now.
    """

    DEFAULT_CSS = "Lines { width: 1fr; height: 1fr; }"

    def __init__(
        self, draw: Draw, styles_of: Callable[[], Mapping[Tone, Style]], *, name: str
    ) -> None:
        super().__init__(id=name)
        self._draw = draw
        self._styles_of = styles_of
        self._lines: list[list[Part]] = []

    def redraw(self, *, anew: bool = False) -> None:
        """Asks for the lines, and draws those that differ from what is there."""
        columns, height = self.size
        if not columns or not height:
            return
        lines = self._draw(columns, height)[:height]
        before, self._lines = self._lines, lines
        if anew or len(before) != len(lines):
            self.refresh()
            return
        changed = [Region(0, y, columns, 1) for y, line in enumerate(lines) if line != before[y]]
        if changed:
            self.refresh(*changed)

    def on_resize(self) -> None:
        """Another size, so other lines."""
        self.redraw(anew=True)

    def render_line(self, y: int) -> Strip:
        """One line for Textual."""
        styles = self._styles_of()
        columns = self.size.width
        parts = fitted(self._lines[y] if y < len(self._lines) else [], columns)
        plain = styles[Tone.PLAIN]
        return Strip([Segment(part.text, plain + styles[part.tone]) for part in parts], columns)
