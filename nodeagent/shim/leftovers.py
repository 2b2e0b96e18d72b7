"""What a job may leave behind in what its shim gives the next one: proven gone, or the shim ends.

A job's processes die with its shim, and so do its mounts. A shim that is used again has to know
that there are none. What a job has of its own (credentials, environment, limits, signals, session,
IPC namespace, Landlock, root and directory) went with its processes, for the shim itself has none
of it. All that is left to look at is what they shared with the shim.

Source: kill(2), proc_pid_mountinfo(5), pid_namespaces(7), pts(4).
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Final

from nodeagent.mechanism.mounts import MountWatch

_TERMINALS: Final = "/dev/pts"
_OWN_FILES: Final = ("/proc/self/oom_score_adj", "/proc/self/cgroup")
_NAMESPACE_FILES: Final = ("/proc/sys/kernel/pid_max", "/proc/sys/vm/memfd_noexec")
"""Settings that each pid namespace has for itself, on kernels that know them."""

_LIMITS: Final = range(16)


class Leftovers:
    """Looks for what is not as it was when this was made, by pid 1 with no job yet."""

    def __init__(self) -> None:
        assert os.getpid() == 1
        self._mounts = MountWatch()
        self._before = _traces()
        self._descriptors = 0

    def count_descriptors(self) -> None:
        """What is open now is what may be open, beside the connection of who asks."""
        self._descriptors = _descriptors()

    def has_processes(self) -> bool:
        """Whether any process is in this pid namespace but this one, born in it or come to it."""
        try:
            os.kill(-1, 0)  # all but pid 1 (kill(2)); also zombies, and who is no child of ours
        except ProcessLookupError:
            return False
        return True

    def find(self) -> str:
        """What else is left, in a word; empty for nothing.

        There are no processes, and nothing of the job is held.
        """
        if self._mounts.has_changed():  # also one that came and went: what it covered may be newer
            return "mounts"
        if _descriptors() != self._descriptors + 1:
            return "descriptors"
        now = _traces()
        return next((kind for kind, before in self._before.items() if now[kind] != before), "")


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - they are counted, of every short job


def _traces() -> dict[str, object]:
    """What a program of root can change for those who come after it."""
    return {
        "mount options": _content("/proc/self/mountinfo"),  # propagation is no event
        "terminals": _terminals(),
        "settings": [_content(path) for path in _NAMESPACE_FILES],
        "limits": [resource.getrlimit(number) for number in _LIMITS],
        "priority": (
            os.getpriority(os.PRIO_PROCESS, 0),
            os.sched_getscheduler(0),
            os.sched_getaffinity(0),
            *(_content(path) for path in _OWN_FILES),
        ),
    }


def _terminals() -> list[tuple[str, int, int, int]]:
    """Those that somebody has open, and who may open new ones."""
    found = []
    for name in ("", *sorted(os.listdir(_TERMINALS))):  # noqa: PTH208 - of every short job
        status = os.stat(f"{_TERMINALS}/{name}")  # noqa: PTH116 - likewise
        found.append((name, status.st_mode, status.st_uid, status.st_gid))
    return found


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return b""
