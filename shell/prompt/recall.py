"""What comes back of the lines that were run: by their beginning, and as a suggestion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from shell.prompt.history import Entry

MOST: Final = 10_000
"""Different lines that are held in memory."""


class Recall:
    """Lines that were run, each once, by when they were run last.

    Attributes:
        newest: The highest number among them.
    """

    def __init__(self) -> None:
        self.newest = 0
        self._by_line: dict[str, Entry] = {}  # in the order of their last run

    def learn(self, entries: Iterable[Entry]) -> None:
        """Adds lines, oldest first."""
        for entry in entries:
            self._by_line.pop(entry.line, None)
            self._by_line[entry.line] = entry
            self.newest = max(self.newest, entry.number)
        while len(self._by_line) > MOST:
            del self._by_line[next(iter(self._by_line))]

    def lines(self) -> Iterator[str]:
        """All of them, newest first."""
        return reversed(self._by_line)

    def suggest(self, begun: str, *, node: str, cwd: str) -> str:
        """What comes after what was typed, as it did before; empty where it never did.

        Newest first, and first among those of the same directory, then of the same node: what was
        run in a place is likely to be run there again.
        """
        if not begun.strip():
            return ""
        elsewhere = there = ""
        for line, entry in reversed(self._by_line.items()):
            if not line.startswith(begun) or len(line) == len(begun):
                continue
            if entry.node == node and entry.cwd == cwd:
                return line[len(begun) :]
            if entry.node == node:
                there = there or line
            elsewhere = elsewhere or line
        return (there or elsewhere)[len(begun) :]


def is_secret(line: str) -> bool:
    """Whether the person asked, by a space before it, that a line be forgotten."""
    return line[:1].isspace()
