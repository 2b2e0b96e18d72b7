"""Parents that stand in vfork(2): each waits until its child has begun its program, or ended.

Shells and posix_spawn(3) start programs so. No signal but SIGKILL reaches such a thread, nor does
ptrace(2). Where its child is held meanwhile, by a freezer or a signal that stops, it waits for as
long, and CRIU, which asks it to stop, waits for it in vain.

Source: vfork(2), clone(2), proc_pid_stat(5), proc_pid_syscall(5), ``kernel/fork.c`` of Linux.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from nodeagent.mechanism.threads import state_of, thread_directories

_CLONE3: Final = "435"
_FORKING: Final = {
    "x86_64": frozenset({"56", "58", _CLONE3}),  # clone, vfork
    "aarch64": frozenset({"220", _CLONE3}),  # clone
}.get(platform.machine(), frozenset({_CLONE3}))
"""Numbers of the system calls that can wait so."""


class Waiting(NamedTuple):
    """A process of which a thread waits, and the child that it waits for."""

    pid: int
    child: int


def waiting(pids: Iterable[int], root: Path = Path("/proc")) -> frozenset[Waiting]:
    """Which of these processes wait now; most do so for less than a millisecond.

    On a kernel without ``/proc/PID/task/TID/children`` (CONFIG_PROC_CHILDREN), none are found.
    """
    return frozenset(
        Waiting(pid, child)
        for pid in pids
        for thread in thread_directories(pid, root)
        if state_of(thread) == "D" and _is_forking(thread)
        for child in _children(thread)
    )


def _is_forking(thread: str) -> bool:
    try:
        return Path(thread, "syscall").read_text(encoding="ascii").split()[0] in _FORKING
    except OSError:
        return False


def _children(thread: str) -> list[int]:
    try:
        return [int(pid) for pid in Path(thread, "children").read_text(encoding="ascii").split()]
    except OSError:
        return []
