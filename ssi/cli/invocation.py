"""The processes that this very command is, how the one hears of the other's end, and that end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

_stub_pids: set[int] = set()
_tellers: list[Callable[[int], None]] = []


def own_pids() -> frozenset[int]:
    """This process, and the one that stands in for it before the user's shell where there is one.

    A command that looks for processes must not find itself.
    """
    return frozenset({os.getpid(), *_stub_pids})


def note_stub(pid: int) -> None:
    """Remembers the process that the user started and that waits for this one."""
    _stub_pids.add(pid)


def note_teller(teller: Callable[[int], None]) -> None:
    """Remembers how whoever waits for this command hears of its end ahead of it."""
    _tellers.append(teller)


def tell_end(status: int) -> None:
    """The command is as good as ended, with that exit status: nobody has to wait for the rest.

    From then on it must not write anything. Without somebody to tell, nothing happens.
    """
    for teller in _tellers:
        teller(status)


def leave(status: int) -> NoReturn:
    """Ends this process with that exit status, or of that signal where it is negative."""
    if status >= 0:
        sys.exit(status)
    with suppress(OSError):
        sys.stdout.flush()
    suffer(-status)
    os._exit(128 - status)  # whoever started us has blocked it


def suffer(number: int) -> None:
    """Lets a signal end this process; comes back where it is blocked."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
