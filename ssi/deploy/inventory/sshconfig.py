"""The hosts that ``~/.ssh/config`` names, as ssh_config(5) lays them out.

Only ``Host`` lines and ``Include`` matter here; how each host is reached is left to ssh. A pattern
(``*``, ``?``, ``!``) names no host.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ssi.deploy.inventory.inventory import Inventory
from ssi.model.errors import UsageError

DEEPEST_INCLUDE: Final = 16
"""As ssh has it."""


def read(path: Path) -> Inventory:
    """The hosts of a file and of those that it includes.

    Raises:
        UsageError: It cannot be read.
    """
    return Inventory(hosts=tuple(dict.fromkeys(_hosts(path, path.parent, DEEPEST_INCLUDE))))


def _hosts(path: Path, folder: Path, depth: int) -> Iterator[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as exc:
        raise UsageError(text=f"{path} cannot be read: {exc.strerror or exc}") from exc
    for line in lines:
        keyword, words = _words(line)
        if keyword == "host":
            yield from (word for word in words if not set(word) & set("*?!"))
        elif keyword == "include" and depth:
            for word in words:
                yield from _included(word, folder, depth - 1)


def _included(pattern: str, folder: Path, depth: int) -> Iterator[str]:
    """Of files that a pattern names; one that is not there includes nothing, as ssh has it."""
    whole = Path(pattern).expanduser()
    relative = whole.relative_to(whole.anchor) if whole.is_absolute() else whole
    for path in sorted((Path(whole.anchor) if whole.is_absolute() else folder).glob(str(relative))):
        if path.is_file():
            yield from _hosts(path, folder, depth)


def _words(line: str) -> tuple[str, list[str]]:
    """The keyword, in lower case, and what follows; ``Key value`` and ``Key=value`` are alike."""
    stripped = line.strip()
    if not stripped or stripped.startswith("#"):
        return "", []
    name = stripped.replace("=", " ", 1).split(maxsplit=1)[0]
    rest = stripped[len(name) :].strip().removeprefix("=").strip()
    try:
        return name.lower(), shlex.split(rest, comments=True)
    except ValueError:
        return name.lower(), rest.split()
