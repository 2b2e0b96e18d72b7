"""What holds for a command whatever it does: the options that every verb takes, also before it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TextIO


class Colour(StrEnum):
    """When to colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values of those options.

    Attributes:
        quiet: No notes and no progress: data and errors only.
        debug: Errors come with their traceback.
        colour: AUTO asks the environment and the terminal.
        timeout_s: How long nodes are waited for; None as each command has it.
    """

    quiet: bool = False
    debug: bool = False
    colour: Colour = Colour.AUTO
    timeout_s: float | None = None


_current = Settings()


def settings() -> Settings:
    """Those of the command that runs."""
    return _current


def forget_settings() -> None:
    """For the next command; ``SSI_DEBUG=1`` stands for ``--debug``."""
    global _current  # noqa: PLW0603 - there is one command in a process at a time
    _current = Settings(debug=os.environ.get("SSI_DEBUG", "") not in {"", "0"})


def add_settings(
    *, quiet: bool, debug: bool, colour: Colour | None, timeout_s: float | None
) -> None:
    """Adds what was said before or after the verb; the later word holds."""
    global _current  # noqa: PLW0603 - see above
    _current = replace(
        _current,
        quiet=_current.quiet or quiet,
        debug=_current.debug or debug,
        colour=_current.colour if colour is None else colour,
        timeout_s=_current.timeout_s if timeout_s is None else timeout_s,
    )


def wants_colour(stream: TextIO) -> bool:
    """Whether to colour what goes to a stream.

    ``--color`` comes first, then ``NO_COLOR`` (no-color.org) and ``FORCE_COLOR``, then whether it
    is a terminal that knows colours.
    """
    if _current.colour is not Colour.AUTO:
        return _current.colour is Colour.ALWAYS
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM", "") not in {"", "dumb"} and stream.isatty()


def wants_progress() -> bool:
    """Whether somebody watches: progress is for a terminal only."""
    return not _current.quiet and sys.stderr is not None and sys.stderr.isatty()
