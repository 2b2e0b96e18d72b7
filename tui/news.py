"""What was the last to happen, what is under way, and what was done from here."""

from __future__ import annotations

import itertools
import time
from typing import Final

from tui.model.bottom import news_lines
from tui.model.outcome import Outcome
from tui.model.parts import Part, Tone

STAYS_S: Final = 12.0
"""How long a line of news stays."""

DEEDS_KEPT: Final = 1000


class News:
    """Keeps it, and draws it as lines above the keys.

    Attributes:
        deeds: What was done from here and when, oldest first.
    """

    def __init__(self) -> None:
        self.deeds: list[tuple[float, str]] = []
        self._under_way: dict[int, tuple[str, float]] = {}
        self._numbers = itertools.count()
        self._last = Part("")
        self._until_s = float("-inf")

    def say(self, text: str, tone: Tone) -> None:
        """A line for the person, which goes by itself."""
        self._last, self._until_s = Part(text, tone), time.monotonic() + STAYS_S

    def keep(self, outcome: Outcome) -> None:
        """What was done stays known."""
        self.deeds.append((time.time(), outcome.text()))
        del self.deeds[:-DEEDS_KEPT]

    def begin(self, what: str) -> int:
        """Something is under way; the number to end it by."""
        number = next(self._numbers)
        self._under_way[number] = (what, time.monotonic())
        return number

    def end(self, number: int) -> None:
        """It is not any more."""
        self._under_way.pop(number, None)

    def lines(self, columns: int, most: int) -> list[list[Part]]:
        """All of it, in so many lines at most for what happened, and for what is under way."""
        now_s = time.monotonic()
        under_way = [(what, now_s - began_s) for what, began_s in self._under_way.values()]
        last = self._last if now_s < self._until_s else None
        return news_lines(last, under_way, columns, most)
