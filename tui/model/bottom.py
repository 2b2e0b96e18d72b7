"""The key bar, the badges and the line of news at the bottom of the screen. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from tui.bindings import BINDINGS, shown_key
from tui.model.browser import Browser
from tui.model.listing import Listing
from tui.model.parts import Part, Tone

LABEL_CELLS: Final = 6
"""A label on the key bar takes at least so many cells, as in htop."""

MOST_LINES: Final = 3
"""Of news, and of what is under way."""

LOW_LINES: Final = 8
"""On a screen of fewer lines there are no cards, and one line of news."""


def browsing_labels() -> list[tuple[str, str]]:
    """The keys of the key bar while nothing else is going on."""
    return [(shown_key(binding.keys[0]), binding.label) for binding in BINDINGS if binding.label]


def key_bar(labels: Sequence[tuple[str, str]], columns: int) -> list[Part]:
    """``F1Help  F3Search`` across the screen."""
    parts = []
    for key, label in labels:
        parts += [Part(key, Tone.KEY), Part(label.ljust(LABEL_CELLS), Tone.LABEL)]
    used = sum(len(part.text) for part in parts)
    return [*parts, Part(" " * max(columns - used, 0), Tone.LABEL)]


def key_at(labels: Sequence[tuple[str, str]], x: int) -> str:
    """The key whose label is drawn at that cell, as Textual names it; empty where there is none."""
    names = {"Enter": "enter", "Esc": "escape", "ctrl-s": "ctrl+s", "S-F3": "shift+f3"}
    right = 0
    for key, label in labels:
        right += len(key) + max(len(label), LABEL_CELLS)
        if x < right:
            return names.get(key, key.lower() if key.startswith("F") else key)
    return ""


def news_lines(
    news: Part | None,
    under_way: Sequence[tuple[str, float]],
    columns: int,
    most: int = MOST_LINES,
) -> list[list[Part]]:
    """What is going on and what was the last to happen, in a few lines above the keys.

    Args:
        news: A line for the person; None where there is none.
        under_way: What has begun, and for how many seconds it has gone on.
        columns: Of the screen.
        most: Lines of either.
    """
    lines = [[Part(f" {what} {seconds:.0f} s ", Tone.BADGE)] for what, seconds in under_way[:most]]
    if news is not None:
        texts = wrap(news.text, max(columns - 1, 10))[:most]
        lines += [[Part(text, news.tone)] for text in texts]
    return lines


def badges(
    browser: Browser,
    now_s: float,
    *,
    readonly: bool,
    problem: str,
    silent: Sequence[str],
    listing: Listing | None = None,
) -> list[Part]:
    """What one has to know of the table: how much of it is seen, and what keeps it as it is."""
    parts = [Part(_place(browser) if listing is None else _row(listing), Tone.STRONG), Part(" ")]
    if problem:
        parts += [Part(f" {problem} ", Tone.ALARM), Part(" ")]
    if silent:
        parts += [Part(f" silent: {','.join(silent)} ", Tone.ALARM), Part(" ")]
    told = [
        ("READ-ONLY", readonly),
        ("PAUSED", browser.paused),
        ("following", browser.following is not None),
        ("order held", browser.is_held(now_s) and browser.following is None),
        (f"{len(browser.tags)} tagged", bool(browser.tags)),
        *((text, listing is None) for text in browser.choice.told()),
    ]
    for text, holds in told:
        if holds:
            parts += [Part(f" {text} ", Tone.BADGE), Part(" ")]
    return parts


def _place(browser: Browser) -> str:
    count, seen = sum(len(s.entries) for s in browser.census.sheets.values()), len(browser.lines)
    place = f" {browser.cursor + 1 if seen else 0}/{seen}"
    return place + (f" of {count}" if seen != count else "")


def _row(listing: Listing) -> str:
    return f" {listing.cursor + 1 if listing.rows else 0}/{len(listing.rows)}"
