"""Tells how a copy goes: failures on stderr, and on a terminal one line that is painted over."""

from __future__ import annotations

import sys
import time
from typing import Final

from ssi.cli.outcome import complain, note
from ssi.client.files.errors import FileFailed
from ssi.view.quantity import size
from ssi.view.text import cut, plain

PAINT_S: Final = 0.1
_ERASE: Final = "\r\x1b[K"


class CopyReport:
    """See the module.

    Args:
        verbose: Name each file on stdout.
        painted: Show progress.
        width: Cells of the terminal.
    """

    def __init__(self, *, verbose: bool, painted: bool, width: int) -> None:
        self.has_failed = False
        self._verbose, self._painted, self._width = verbose, painted, width
        self._files = self._done = self._bytes = self._moved = 0
        self._last = ""
        self._began_s = self._painted_s = time.monotonic()

    def found(self, size_bytes: int) -> None:
        self._files += 1
        self._bytes += size_bytes
        self._paint()

    def moved(self, size_bytes: int) -> None:
        self._moved += size_bytes
        self._paint()

    def copied(self, source: str, target: str) -> None:
        self._done += 1
        self._last = source
        if self._verbose:
            self.clear()
            print(f"{plain(source)} -> {plain(target)}", flush=True)

    def failed(self, error: FileFailed) -> None:
        self.has_failed = True
        self.clear()
        complain(error)

    def warned(self, text: str) -> None:
        self.clear()
        note(text)

    def clear(self) -> None:
        """Takes the line away."""
        if self._painted:
            print(_ERASE, end="", file=sys.stderr, flush=True)

    def _paint(self) -> None:
        now_s = time.monotonic()
        if not self._painted or now_s - self._painted_s < PAINT_S:
            return
        self._painted_s = now_s
        rate = self._moved / max(now_s - self._began_s, 0.001)
        left_s = (self._bytes - self._moved) / rate if rate else 0.0
        percent = 100 * self._moved // self._bytes if self._bytes else 100
        line = (
            f"{percent:3d}%  {size(self._moved)} of {size(self._bytes)}  "
            f"{size(int(rate))}/s  {int(left_s) // 60}:{int(left_s) % 60:02d} left  "
            f"{self._files} files  {plain(self._last)}"
        )
        print(_ERASE + cut(line, self._width - 1), end="", file=sys.stderr, flush=True)
