"""What a person may set: how it looks, and how it begins; as a value and as a commented file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from ssi.model.errors import UsageError
from tui.model.columns import COLUMNS, MAIN
from tui.theme import THEMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that stays the same while the program runs, unless the person changes it.

    Attributes:
        every_s: Between two looks at the nodes.
        readonly: Nothing is changed in the system.
        theme: One of :data:`tui.theme.THEMES`.
        cards: The nodes are shown above the table.
        columns: Of the process table, from left to right; ``command`` is the last.
        sort: Name of the column to begin with.
        tree: Whether to begin with the tree.
    """

    every_s: float = 1.0
    readonly: bool = False
    theme: str = "dark"
    cards: bool = True
    columns: tuple[str, ...] = MAIN
    sort: str = "cpu"
    tree: bool = False


_COMMENTS: Final[Mapping[str, str]] = {
    "every_s": "Seconds between two looks at the nodes, 0.2 to 60.",
    "readonly": "Whether whatever would change something is refused, as with --readonly.",
    "theme": f"One of: {', '.join(THEMES)}. NO_COLOR in the environment goes before it.",
    "cards": "Whether the nodes are shown above the table.",
    "columns": f"From left to right, command last. There are: {', '.join(COLUMNS)}.",
    "sort": "The column that it begins sorted by.",
    "tree": "Whether it begins with children below their parents.",
}


def settings_text(settings: Settings) -> str:
    """The settings as TOML, with what each means."""
    lines = ["# Settings of ssi top. F2 there changes them, and writes this file anew.", ""]
    for field in fields(settings):
        lines += [f"# {_COMMENTS[field.name]}"]
        lines += [f"{field.name} = {_toml(getattr(settings, field.name))}", ""]
    return "\n".join(lines)


def parse_settings(text: str) -> Settings:
    """The settings in such a file; what it does not name is as if there were none.

    Raises:
        UsageError: It cannot be understood; it says which line of it.
    """
    try:
        table: dict[str, Any] = tomllib.loads(text)  # Any: whatever somebody wrote
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(text=f"the settings cannot be read: {exc}", hint=_HINT) from exc
    settings = Settings()
    for name, value in table.items():
        if name not in _COMMENTS:
            known = ", ".join(_COMMENTS)
            raise UsageError(text=f"there is no setting {name!r}", hint=f"there are: {known}")
        if isinstance(value, list):
            value = tuple(value)  # noqa: PLW2901 - the same in the type that settings have
        if isinstance(value, int) and name == "every_s":
            value = float(value)  # noqa: PLW2901
        if not _fits(name, value):
            raise UsageError(text=f"{name} = {value!r} is no such setting", hint=_COMMENTS[name])
        settings = replace(settings, **{name: value})
    return settings


_HINT: Final = "mend it, or take it away: F2 in ssi top writes another"


def _fits(name: str, value: object) -> bool:
    match name:
        case "every_s":
            return isinstance(value, float) and 0.2 <= value <= 60
        case "theme":
            return value in THEMES
        case "sort":
            return value in COLUMNS
        case "columns":
            named = isinstance(value, tuple) and all(column in COLUMNS for column in value)
            return named and isinstance(value, tuple) and value[-1:] == ("command",)
        case _:
            return isinstance(value, bool)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{each}"' for each in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
