"""The processes that this very command is, and how the one hears of the other's end."""

from __future__ import annotations

import os
from collections.abc import Callable

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
