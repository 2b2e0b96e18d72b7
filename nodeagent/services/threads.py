"""Threads as rows of the process table, for whoever asks for them.

Only processes that have more than one thread are looked into, and nothing is read unless asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from nodeagent.mechanism.procfs import TICKS_PER_SECOND
from nodeagent.mechanism.threads import HostThread
from nodeagent.services.processes import ScanTime
from ssi.model.gpid import gpid_of_host_process
from ssi.model.process import ProcessRow

ReadThreads = Callable[[int], Iterable[HostThread]]
"""A pid to the threads of that process besides its first one."""


def rows_with_threads(
    rows: Iterable[ProcessRow], read: ReadThreads, *, node_number: int, taken: ScanTime
) -> list[ProcessRow]:
    """The processes as they are, and after each of them its other threads."""
    found: list[ProcessRow] = []
    for row in rows:
        found.append(row)
        if row.threads > 1:
            found += (thread_row(row, thread, node_number, taken) for thread in read(row.pid))
    return found


def thread_row(
    process: ProcessRow, thread: HostThread, node_number: int, taken: ScanTime
) -> ProcessRow:
    """A thread. Memory, owner and terminal are those of its process.

    Arguments are left out: they are those of the process, whose row is told as well.
    """
    start_s = thread.start_ticks / TICKS_PER_SECOND
    cpu_s = (thread.utime_ticks + thread.stime_ticks) / TICKS_PER_SECOND
    age_s = taken.since_boot_s - start_s
    return msgspec.structs.replace(
        process,
        gpid=gpid_of_host_process(node_number, thread.tid),
        parent_gpid=process.gpid,
        start_ms=thread.start_ticks * 1000 // TICKS_PER_SECOND,
        started_at_s=taken.wall_s - age_s,
        state=thread.state,
        nice=thread.nice,
        cpu_s=cpu_s,
        cpu_percent=round(100 * cpu_s / age_s, 1) if age_s > 0 else 0.0,
        name=thread.name,
        command=(),
        tid=thread.tid,
        thread_of=process.gpid,
    )
