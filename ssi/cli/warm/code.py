"""Whether the code in memory is the code on the disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Final

OWN_PACKAGES: Final = ("ssi", "shell", "nodeagent", "tui")

Mark = tuple[int, int, int]
"""Inode, time of change and size."""


class LoadedCode:
    """The files of what is imported, as they were at one moment."""

    def __init__(self, files: Iterable[str]) -> None:
        self._marks = {file: _mark(file) for file in files}

    @classmethod
    def of_this_process(cls) -> LoadedCode:
        """Our own modules, and the directories where others are installed and upgraded."""
        modules = [
            module.__file__
            for name, module in sys.modules.copy().items()
            if name.partition(".")[0] in OWN_PACKAGES and getattr(module, "__file__", None)
        ]
        return cls([*filter(None, modules), *filter(None, sys.path)])

    def is_current(self) -> bool:
        """Whether each of them is still the same. A link that leads elsewhere now is not."""
        return all(_mark(file) == mark for file, mark in self._marks.items())


def _mark(file: str) -> Mark | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - a hundred of them for each command
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
