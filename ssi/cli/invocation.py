"""The processes that this very command is."""

from __future__ import annotations

import os

_stub_pids: set[int] = set()


def own_pids() -> frozenset[int]:
    """This process, and the one that stands in for it before the user's shell where there is one.

    A command that looks for processes must not find itself.
    """
    return frozenset({os.getpid(), *_stub_pids})


def note_stub(pid: int) -> None:
    """Remembers the process that the user started and that waits for this one."""
    _stub_pids.add(pid)
