"""Numbers that are never given twice, not even after a crash: they name the processes of jobs.

The file holds the first number that is not spoken for. It is moved ahead by a block, and is safely
on the disk, before any number of that block is given; so a crash loses numbers and repeats none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from nodeagent.files import replace_file
from ssi.model.gpid import JOB_BASE, NODE_SPAN
from ssi.protocol.refusals import SequenceBroken

BLOCK: Final = 1000
"""Numbers per write: a larger one writes less often and loses more at a crash."""

FIRST: Final = 1
LAST: Final = NODE_SPAN - JOB_BASE - 1


class Sequence:
    """Gives numbers from 1 on. The file is read at the first number, not before.

    Args:
        path: Its file; a missing one is a new node's. Its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next: int | None = None
        self._reserved = FIRST

    def next(self) -> int:
        """A number that was never given before.

        Raises:
            SequenceBroken: The file cannot be read or written, or all numbers are used up. Nothing
                was given then, and the next call tries again.
        """
        if self._next is None:
            self._next = self._reserved = self._load()
        number = self._next
        if number > LAST:
            raise SequenceBroken(path=str(self._path), reason=f"all {LAST} numbers are used up")
        if number == self._reserved:
            self._reserve(min(number + BLOCK, LAST + 1))
        self._next = number + 1
        return number

    def _load(self) -> int:
        try:
            text = self._path.read_text(encoding="ascii").strip()
            if not (text.isdigit() and FIRST <= int(text) <= LAST + 1):
                raise SequenceBroken(path=str(self._path), reason=f"{text[:40]!r} is no number")
        except FileNotFoundError:
            return FIRST
        except (OSError, UnicodeDecodeError) as exc:
            raise SequenceBroken(path=str(self._path), reason=str(exc)) from exc
        return int(text)

    def _reserve(self, end: int) -> None:
        """Makes all numbers below ``end`` ours, on the disk."""
        try:
            replace_file(self._path, b"%d\n" % end)
        except OSError as exc:
            raise SequenceBroken(path=str(self._path), reason=str(exc)) from exc
        self._reserved = end
