"""Colours by name, for a terminal. Nothing is told by a colour alone."""

from __future__ import annotations

from typing import Final

_CODES: Final = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36}

STATES: Final = {
    "alive": "green",
    "suspect": "yellow",
    "dead": "red",
    "left": "dim",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
    "running": "green",
    "stopped": "yellow",
    "frozen": "cyan",
    "migrating": "cyan",
    "lost": "red",
}
"""Of words that tell how something fares."""


def paint(text: str, colour: str) -> str:
    """The text in a colour; as it is for an empty one."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if colour else text


def of_state(state: str) -> str:
    """The colour of a word that tells how something fares; empty for none."""
    return STATES.get(state.partition(",")[0].partition("(")[0], "")
