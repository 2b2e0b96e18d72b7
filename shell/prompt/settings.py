"""What a person may set about the prompt, as a value and as a file of TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ssi.client.paths import config_dir
from ssi.model.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it.

    Attributes:
        editing: ``bash`` does as ``set -o vi`` or ``set -o emacs`` of the session says.
        clock: Whether the time stands at the right.
        suggestions: Whether what may come next is shown behind the cursor.
        paste_rows: Pasted lines from which on Enter asks before it runs them; 0 never asks.
    """

    editing: str = "bash"
    clock: bool = True
    suggestions: bool = True
    paste_rows: int = 2


MEANINGS: Final[Mapping[str, str]] = {
    "editing": '"emacs", "vi", or "bash" for what `set -o vi` says in the session',
    "clock": "true or false: whether the time stands at the right",
    "suggestions": "true or false: whether what may come next is shown behind the cursor",
    "paste_rows": "pasted lines from which on Enter asks before it runs them; 0 never asks",
}


def settings_path() -> Path:
    """``~/.config/ssi/prompt.toml``, or as XDG or ``SSI_CONFIG_DIR`` say."""
    return config_dir() / "prompt.toml"


def load_settings(path: Path) -> Settings:
    """The settings in a file; those of everyone where there is none.

    Raises:
        UsageError: The file cannot be read or understood.
    """
    try:
        return parse_settings(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeError) as exc:
        raise UsageError(text=f"{path} cannot be read: {exc}", hint="mend it") from exc
    except UsageError as exc:
        raise UsageError(text=f"{path}: {exc.text}", hint=exc.hint) from exc


def parse_settings(text: str) -> Settings:
    """The settings in a text; what it does not name is as if there were none.

    Raises:
        UsageError: It cannot be understood.
    """
    try:
        table: dict[str, Any] = tomllib.loads(text)  # Any: whatever somebody wrote
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(text=f"it is no TOML: {exc}", hint="mend it or take it away") from exc
    settings = Settings()
    for name, value in table.items():
        if name not in MEANINGS:
            raise UsageError(
                text=f"there is no setting {name!r}", hint=f"there are: {', '.join(MEANINGS)}"
            )
        if not _fits(name, value):
            raise UsageError(
                text=f"{name} = {value!r} is no such setting", hint=f"it is {MEANINGS[name]}"
            )
        settings = replace(settings, **{name: value})
    return settings


def _fits(name: str, value: object) -> bool:
    match name:
        case "editing":
            return value in {"emacs", "vi", "bash"}
        case "paste_rows":
            return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10_000
        case _:
            return isinstance(value, bool)
