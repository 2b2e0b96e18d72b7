"""The threads of a process, read from /proc when somebody wants to see them.

Source: proc_pid_task(5), proc_pid_stat(5).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from nodeagent.mechanism.procfs import GONE, STAT_LIMIT_BYTES, parse_stat, read_file


class HostThread(NamedTuple):
    """One thread; its times are in ticks of ``TICKS_PER_SECOND``.

    Attributes:
        start_ticks: Since boot; with the tid it identifies the thread.
        name: Its ``comm``, which a program may set for each of its threads.
    """

    tid: int
    name: str
    state: str
    nice: int
    utime_ticks: int
    stime_ticks: int
    start_ticks: int


def read_threads(pid: int, root: Path = Path("/proc")) -> list[HostThread]:
    """All threads of a process but the first one, by ascending tid; none where it has ended."""
    directory = f"{root}/{pid}/task"
    try:
        names = os.listdir(directory)  # noqa: PTH208 - a Path per thread would cost more than it
    except GONE:
        return []
    found = (_thread(directory, tid) for tid in sorted(map(int, names)) if tid != pid)
    return [thread for thread in found if thread is not None]


def thread_directories(pid: int, root: Path = Path("/proc")) -> list[str]:
    """The directories in /proc of all threads of a process; none where it has ended."""
    directory = f"{root}/{pid}/task"
    try:
        return [f"{directory}/{tid}" for tid in os.listdir(directory)]  # noqa: PTH208 - as above
    except GONE:
        return []


def state_of(directory: str) -> str:
    """The letter of proc_pid_stat(5) for a thread's directory in /proc; ``X`` once it has ended."""
    try:
        return parse_stat(read_file(f"{directory}/stat", STAT_LIMIT_BYTES)).state
    except GONE:
        return "X"


def _thread(directory: str, tid: int) -> HostThread | None:
    try:
        stat = parse_stat(read_file(f"{directory}/{tid}/stat", STAT_LIMIT_BYTES))
    except GONE:
        return None
    return HostThread(
        tid,
        stat.name.decode("utf-8", "backslashreplace"),
        stat.state,
        stat.nice,
        stat.utime_ticks,
        stat.stime_ticks,
        stat.start_ticks,
    )
