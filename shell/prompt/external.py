"""The person's editor on the line that is being typed."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

FALLBACKS: Final = ("editor", "nano", "vi")


def editors(chosen: str, environment: Mapping[str, str]) -> list[list[str]]:
    """The commands of editors, the person's own first.

    Args:
        chosen: As the session has it, which an rc file may have set.
        environment: Of this process.
    """
    named = [chosen, environment.get("VISUAL", ""), environment.get("EDITOR", ""), *FALLBACKS]
    commands = []
    for name in dict.fromkeys(filter(None, named)):
        try:
            commands.append(shlex.split(name))
        except ValueError:  # quotes that are not closed
            continue
    return [command for command in commands if command]


def edited(text: str, commands: Sequence[Sequence[str]]) -> str | None:
    """The text as the first editor that is there left it; None where it failed or none is.

    It has the terminal, and this waits for it.
    """
    descriptor, name = tempfile.mkstemp(prefix="ssi-", suffix=".sh")
    path = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        for command in commands:
            try:
                status = subprocess.run([*command, name], check=False).returncode
            except OSError:
                continue
            if status != 0:
                return None
            return path.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
    finally:
        path.unlink(missing_ok=True)
    return None
