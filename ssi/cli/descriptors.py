"""Standard descriptors that the caller closed are filled again, before a socket takes their number.

What is written to a socket that became descriptor 1 would be spoken to an agent. So stdin reads as
empty then, stderr takes everything, and stdout nothing: that it was closed is told by the first
write that fails, as cat(1) tells it.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Final

_MODES: Final = (os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)
"""Of stdin, stdout and stderr. A stdout that can only be read refuses each write with EBADF."""


def fill_closed() -> None:
    """None of the three descriptors is closed, nor the files of the interpreter on them."""
    for number, mode in enumerate(_MODES):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, and those below it are taken by now.
            os.set_inheritable(os.open(os.devnull, mode), True)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    if sys.stdout is None:
        sys.stdout = _to(1)
    if sys.stderr is None:
        sys.stderr = _to(2)


def _to(number: int) -> io.TextIOWrapper:
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), line_buffering=number == 2)
