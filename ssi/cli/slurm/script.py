"""A batch script: its ``#SBATCH`` lines, and the command that runs it elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

from ssi.model.errors import UsageError

SHELLS: Final = frozenset({"sh", "bash", "dash", "ksh", "zsh"})
LARGEST_BYTES: Final = 120_000
"""Linux takes 128 KiB for one word of a command line. Source: execve(2), MAX_ARG_STRLEN."""


def directives(text: str) -> list[str]:
    """The words of its ``#SBATCH`` lines, which end with the first line that is no comment.

    Raises:
        UsageError: A line has an open quote.
    """
    words: list[str] = []
    for line in text.splitlines():
        if line.startswith("#SBATCH"):
            try:
                words += shlex.split(line.removeprefix("#SBATCH"), comments=True)
            except ValueError as exc:
                raise UsageError(text=f"{line!r} cannot be read: {exc}") from exc
        elif line.strip() and not line.startswith("#"):
            break
    return words


def command_of(text: str, name: str, arguments: Sequence[str]) -> list[str]:
    """What runs a script where its file may not be: a shell that has its text.

    Args:
        text: Of the script.
        name: What it calls itself, ``$0``.
        arguments: Of the script.

    Raises:
        UsageError: It does not begin with ``#!`` and a shell, or is too large.
    """
    first = text.partition("\n")[0]
    if not first.startswith("#!"):
        raise UsageError(text=f"{name} does not begin with #!", hint="begin it with #!/bin/sh")
    if len(text.encode()) > LARGEST_BYTES:
        raise UsageError(text=f"{name} is larger than {LARGEST_BYTES} bytes")
    interpreter = first.removeprefix("#!").split()
    shell = [PurePath(word).name for word in interpreter if not word.startswith("-")]
    if not shell or shell[-1] not in SHELLS:
        raise UsageError(
            text=f"{name} is no script of a shell: {first}",
            hint="have a script of a shell call it: sbatch --wrap 'python3 x.py'",
        )
    return [*interpreter, "-c", text, name, *arguments]


def redirected(command: Sequence[str], out: str, error: str, name: str, user: str) -> list[str]:
    """The command with its output in files of its working directory; as it is without them.

    Raises:
        UsageError: A pattern asks for what is not known before it runs.
    """
    if not out and not error:
        return [*command]
    files = [_named(path, name, user) for path in (out or "/dev/null", error)]
    where = '2>"$1"' if error else "2>&1"
    program = f'exec >"$0" {where}; shift; exec "$@"'
    return ["sh", "-c", program, *files, *command]


def _named(pattern: str, name: str, user: str) -> str:
    """A file's name with ``%x`` (job name), ``%u`` (user) and ``%%`` filled in."""
    parts = {"x": name, "u": user, "%": "%"}
    found, rest = "", pattern
    while "%" in rest:
        before, _, rest = rest.partition("%")
        if rest[:1] not in parts:
            raise UsageError(
                text=f"{pattern}: ssi does not know %{rest[:1]} before the job runs",
                hint="leave the file out: `ssi logs JOB` has the output of a job by its number",
            )
        found += before + parts[rest[0]]
        rest = rest[1:]
    return found + rest
