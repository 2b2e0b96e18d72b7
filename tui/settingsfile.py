"""Where the settings of a person are kept."""

from __future__ import annotations

from pathlib import Path

from ssi.client.paths import config_dir
from ssi.model.errors import UsageError
from tui.settings import Settings, parse_settings, settings_text


def settings_path() -> Path:
    """``~/.config/ssi/top.toml``, or as XDG or ``SSI_CONFIG_DIR`` say."""
    return config_dir() / "top.toml"


def load_settings() -> Settings:
    """The settings of this person; those of everyone where there is no file.

    Raises:
        UsageError: The file cannot be understood.
    """
    try:
        text = settings_path().read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeError) as exc:
        raise UsageError(text=f"{settings_path()} cannot be read: {exc}", hint="mend it") from exc
    try:
        return parse_settings(text)
    except UsageError as exc:
        raise UsageError(text=f"{settings_path()}: {exc.text}", hint=exc.hint) from exc


def save_settings(settings: Settings) -> Path:
    """Keeps them, in place of those before; where.

    Raises:
        OSError: They cannot be written.
    """
    path = settings_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".toml.new")
    fresh.write_text(settings_text(settings), encoding="utf-8")
    fresh.replace(path)
    return path
