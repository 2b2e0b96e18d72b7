r"""``^Z`` and ``^\`` while a job is being started: they are for it.

Nothing has the terminal then, so it makes signals of them, which a shell does not obey. The job
gets them as keys once it is there: a child of bash would have had the terminal from the first.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ssi.client.hearing import hearing

INTERRUPT: Final = b"\x03"

KEYS: Final = {signal.SIGTSTP: b"\x1a", signal.SIGQUIT: b"\x1c"}
"""As terminals of jobs have them."""


@contextmanager
def pressed() -> Iterator[bytearray]:
    """Those that are pressed meanwhile; what is started within would be stopped by itself."""
    keys = bytearray()

    def hear(number: int) -> None:
        keys.extend(KEYS[signal.Signals(number)])

    ignored = signal.getsignal(signal.SIGTSTP)
    try:
        with hearing(tuple(KEYS), hear):
            yield keys
    finally:
        signal.signal(signal.SIGTSTP, ignored)
