"""Whether the code in memory is the code on the disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from ssi.cli.warm.watch import Watch

OWN_PACKAGES: Final = ("ssi", "shell", "nodeagent", "tui")

Mark = tuple[int, int, int]
"""Inode, time of change and size."""


class LoadedCode:
    """The files of what is imported, as they were at one moment.

    The kernel tells of what happens to them where they are. Where nothing did, and each of their
    directories is still the same one, none of them has to be looked at; there are hundreds.
    """

    def __init__(self, files: Iterable[str]) -> None:
        files = list(files)
        self._directories = _directories_of(files)
        self._watch: Watch | None = None
        with suppress(OSError):  # then every file is looked at each time
            self._watch = Watch.of(filter(os.path.isdir, self._directories))
        self._places = self._marks_of_places()
        self._marks = {file: _mark(file) for file in files}
        self._was_current = True

    @classmethod
    def of_this_process(cls) -> LoadedCode:
        """Our own modules, and the directories where others are installed and upgraded."""
        modules = [
            module.__file__
            for name, module in sys.modules.copy().items()
            if name.partition(".")[0] in OWN_PACKAGES and getattr(module, "__file__", None)
        ]
        return cls([*filter(None, modules), *filter(None, sys.path)])

    def is_current(self, *, thorough: bool = False) -> bool:
        """Whether each of them is still the same. A link that leads elsewhere now is not.

        Args:
            thorough: Look at each of them, whatever the kernel tells: not every file system tells
                what others do to it.
        """
        places = self._marks_of_places()
        quiet = self._watch is not None and self._watch.is_quiet()
        if self._was_current and quiet and not thorough and places == self._places:
            return True
        return self._look(places)

    def _look(self, places: dict[str, Mark | None]) -> bool:
        """Looks at each file. What happens meanwhile is found the next time."""
        self._places = places
        self._was_current = all(_mark(file) == mark for file, mark in self._marks.items())
        return self._was_current

    def _marks_of_places(self) -> dict[str, Mark | None]:
        return {directory: _mark(directory) for directory in self._directories}


def _directories_of(files: Iterable[str]) -> list[str]:
    """Where the files are, by their names and where links lead; what is none is its own place."""
    found = set()
    for file in files:
        for path in (Path(file), Path(os.path.realpath(file))):
            found.add(str(path.parent if path.is_file() else path))
    return sorted(found)


def _mark(file: str) -> Mark | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - a hundred of them for each command
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
