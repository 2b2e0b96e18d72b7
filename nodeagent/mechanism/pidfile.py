"""Files that name a running process, safe against a pid that is used again.

A pid alone may be somebody else's by now, so the start of the process stands beside it.
Source: proc_pid_stat(5), pidfd_open(2).
"""

from __future__ import annotations

import os
from pathlib import Path

from nodeagent.files import replace_file

_STARTTIME = 19
"""Position of ``starttime`` behind the name in /proc/PID/stat."""


def write_pidfile(path: Path, pid: int) -> None:
    """The file names that process: ``PID START``, the start in ticks since boot.

    Raises:
        OSError: There is no such process, or the file cannot be written.
    """
    replace_file(path, f"{pid} {start_ticks(pid)}\n".encode(), mode=0o644, durable=False)


def open_process(path: Path) -> tuple[int, int] | None:
    """Pid and pidfd of the process that the file names; None when it is gone.

    The pidfd becomes readable when the process ends; the caller closes it.
    """
    try:
        pid, start = (int(word) for word in path.read_text().split())
        process = os.pidfd_open(pid)
    except (OSError, ValueError):
        return None
    try:
        if start_ticks(pid) == start:
            return pid, process
    except OSError:
        pass  # it ended meanwhile
    os.close(process)
    return None


def start_ticks(pid: int) -> int:
    """When a process started, in ticks since boot.

    Raises:
        OSError: There is no such process.
    """
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[_STARTTIME])
