"""``ssi`` alone, ``ssi -c LINE`` and ``ssi FILE``: the shell, as bash is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final, cast

import typer

from ssi.model.errors import UsageError

FACE: Final = "shell"
"""Its name among the faces that are installed."""

_OPTION: Final = re.compile(r"[-+](?!h$)[a-zA-Z]+")
"""As bash's own: ``-c``, ``-eu``, ``+x``, ``-o pipefail``; but ``-h`` is help, as everywhere."""


def is_for_shell(words: Sequence[str], commands: Container[str]) -> bool:
    """Whether the words after ``ssi`` are for the shell, and not one of the commands.

    A command goes before a file of its name; ``./ps`` is a file in either case.
    """
    if not words:
        return True
    first = words[0]
    if first == "--node" or first.startswith("--node="):
        return True
    if first.startswith(("-", "+")):
        return bool(_OPTION.fullmatch(first))
    return first not in commands and ("/" in first or Path(first).is_file())


def shell(words: Sequence[str]) -> None:
    """Starts the shell, or a script.

    Raises:
        UsageError: It is not part of this installation.
        typer.Exit: At its end, with its status.
    """
    for entry in metadata.entry_points(group="ssi.faces"):
        if entry.name == FACE:
            start = cast("Callable[[Sequence[str]], int]", entry.load())
            raise typer.Exit(start(words))
    raise UsageError(text="the shell is not part of this installation", hint="install ssi again")
