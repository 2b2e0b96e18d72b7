"""``ssi`` alone, ``ssi -c LINE`` and ``ssi FILE``: the shell, as bash is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final, NoReturn, cast

from ssi.model.errors import UsageError

FACE: Final = "shell"
"""Its name among the faces that are installed."""

_OPTION: Final = re.compile(r"[-+](?!h$)[a-zA-Z]+")
"""As bash's own: ``-c``, ``-eu``, ``+x``, ``-o pipefail``; but ``-h`` is help, as everywhere."""

_LONG: Final = frozenset(
    {"--node", "--norc", "--noprofile", "--posix", "--login", "--rcfile", "--init-file"}
)
"""Of bash, and where the shell is to begin."""


def is_for_shell(words: Sequence[str], commands: Container[str]) -> bool:
    """Whether the words after ``ssi`` are for the shell, and not one of the commands.

    A command goes before a file of its name; ``./ps`` is a file in either case.
    """
    if is_surely_for_shell(words):
        return True
    return words[0] not in commands and words[0][:1] != "-" and Path(words[0]).is_file()


def is_surely_for_shell(words: Sequence[str]) -> bool:
    """Whether that is so whatever commands there are: no command begins or is called so."""
    if not words:
        return True
    first = words[0]
    if first in _LONG or first.startswith("--node="):
        return True
    return bool(_OPTION.fullmatch(first)) or ("/" in first and first[0] != "-")


def shell(words: Sequence[str]) -> int:
    """Starts the shell, or a script; its status.

    Raises:
        UsageError: It is not part of this installation.
        SsiError: Whatever else it could not do.
    """
    for entry in metadata.entry_points(group="ssi.faces"):
        if entry.name == FACE:
            return cast("Callable[[Sequence[str]], int]", entry.load())(words)
    raise UsageError(text="the shell is not part of this installation", hint="install ssi again")


def main_of_shell(words: Sequence[str]) -> int:
    """As :func:`shell`, with errors told; what tells them is imported only where there are some."""
    try:
        return shell(words)
    except Exception as exc:  # the rim of the process
        from ssi.cli.outcome import ended

        def again(error: Exception = exc) -> NoReturn:
            raise error

        return ended(again)
