"""How what is meant looks, in each theme; words as Rich styles have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tui.model.parts import Tone

_PLAIN_TEXT: Final = {
    Tone.PLAIN: "",
    Tone.DIM: "dim",
    Tone.STRONG: "bold",
    Tone.GOOD: "",
    Tone.WARN: "bold",
    Tone.BAD: "bold",
    Tone.INFO: "",
    Tone.HEADER: "reverse",
    Tone.SORTED: "bold reverse",
    Tone.CURSOR: "reverse",
    Tone.TAGGED: "bold underline",
    Tone.KEY: "",
    Tone.LABEL: "reverse",
    Tone.BADGE: "reverse",
    Tone.ALARM: "bold reverse",
    Tone.PROGRAM: "bold",
    Tone.THREAD: "italic",
    Tone.TREE: "dim",
}
_DARK: Final = {
    Tone.PLAIN: "#d0d0d0",
    Tone.DIM: "#808080",
    Tone.STRONG: "bold #ffffff",
    Tone.GOOD: "#5fd787",
    Tone.WARN: "#ffd75f",
    Tone.BAD: "#ff6b6b",
    Tone.INFO: "#5fd7ff",
    Tone.HEADER: "#101010 on #5faf5f",
    Tone.SORTED: "bold #101010 on #5fd7d7",
    Tone.CURSOR: "#101010 on #5fd7d7",
    Tone.TAGGED: "bold #ffd75f",
    Tone.KEY: "#d0d0d0",
    Tone.LABEL: "#101010 on #5fd7d7",
    Tone.BADGE: "#101010 on #ffd75f",
    Tone.ALARM: "bold #ffffff on #c03030",
    Tone.PROGRAM: "bold #5fd787",
    Tone.THREAD: "#5faf87",
    Tone.TREE: "#5faf87",
}
_LIGHT: Final = {
    Tone.PLAIN: "#202020",
    Tone.DIM: "#707070",
    Tone.STRONG: "bold #000000",
    Tone.GOOD: "#107030",
    Tone.WARN: "#905000",
    Tone.BAD: "#c00000",
    Tone.INFO: "#005f9f",
    Tone.HEADER: "#ffffff on #207040",
    Tone.SORTED: "bold #ffffff on #006080",
    Tone.CURSOR: "#ffffff on #006080",
    Tone.TAGGED: "bold #905000",
    Tone.KEY: "#202020",
    Tone.LABEL: "#ffffff on #006080",
    Tone.BADGE: "#ffffff on #905000",
    Tone.ALARM: "bold #ffffff on #c00000",
    Tone.PROGRAM: "bold #107030",
    Tone.THREAD: "#3f8f5f",
    Tone.TREE: "#5f8f70",
}

NO_COLOUR: Final = "mono"
THEMES: Final[Mapping[str, Mapping[Tone, str]]] = {
    "dark": _DARK,
    "light": _LIGHT,
    NO_COLOUR: _PLAIN_TEXT,
}
BACKGROUNDS: Final = {"dark": "#121212", "light": "#fafafa", NO_COLOUR: "ansi_default"}
"""Of the whole screen."""
