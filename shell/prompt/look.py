"""The colours of the prompt and of the line: those of the terminal, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STYLES: Final[Mapping[str, str]] = {
    # The prompt.
    "node": "bold ansigreen",
    "problem": "bold ansiyellow",
    "cwd": "ansiblue",
    "branch": "ansimagenta",
    "jobs": "ansicyan",
    "failed": "ansired",
    "duration": "ansiyellow",
    "sign": "bold",
    "failed-sign": "bold ansired",
    "continuation": "ansibrightblack",
    "clock": "ansibrightblack",
    "rprompt": "noreverse",
    # The line.
    "command": "bold",
    "known": "bold ansigreen",
    "unknown": "ansired",
    "placement": "bold ansicyan",
    "option": "ansicyan",
    "string": "ansiyellow",
    "variable": "ansimagenta",
    "keyword": "bold ansiblue",
    "operator": "bold",
    "comment": "ansibrightblack",
    "valid": "underline",
    "auto-suggestion": "dim ansibrightblack",
    # Below the line.
    "validation-toolbar": "noinherit bold ansiyellow",
    "completion-menu": "noinherit",
    "completion-menu.completion": "bg:ansibrightblack ansiwhite",
    "completion-menu.completion.current": "reverse bold",
    "completion-menu.meta.completion": "bg:ansibrightblack ansiwhite",
    "completion-menu.meta.completion.current": "reverse",
    "scrollbar.background": "bg:ansibrightblack",
    "scrollbar.button": "bg:ansiwhite",
}
"""By class, as prompt-toolkit has them. Each colour is one that the person's terminal defines, so
that it can be read on light and on dark ground; nothing is told by a colour alone."""


def classes(style: str) -> str:
    """The classes of a style as the editor writes them."""
    return " ".join(f"class:{each}" for each in style.split())
