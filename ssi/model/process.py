"""A process of some node, as a row of the one process table."""

from __future__ import annotations

import msgspec


class ProcessRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One process. A struct and not a dataclass, because tables of thousands cross the wire.

    It holds nothing that could hold it, so the collector of cycles has no need to look through
    tables of thousands either.

    Attributes:
        gpid: Its name in the whole system.
        pid: Its pid on the node where it runs now.
        parent_gpid: Its parent in the same numbering; 0 for none.
        start_ms: Identity of the process beside its gpid: for a process of the host its start in
            milliseconds since the boot of its node; for one of a job the wall-clock time of its
            birth, which a move does not change.
        started_at_s: Wall-clock time of its start, seconds.
        user: Name of its owner there; the uid as text where it has no name.
        state: One letter as in ps(1): R S D T t Z I.
        nice: -20 to 19.
        threads: How many.
        tty: Its terminal, for instance ``pts/3``; ``?`` for none.
        cpu_s: User and system time spent, seconds.
        cpu_percent: ``cpu_s`` over its lifetime, as ps(1) has it; 100 is one core.
        rss_bytes: Resident memory.
        vsize_bytes: Virtual memory.
        name: Its ``comm``, at most 15 bytes.
        command: Its arguments; empty where it has none or the asker may not see them.
        job: First gpid of the job that it belongs to; 0 for none.
        session_gpid: Session leader; 0 where unknown.
        group_gpid: Process group leader; 0 where unknown.
        tid: Of a thread besides a process's first one, on its node; 0 for a process as a whole. A
            thread has the number as ``gpid`` that a process of the host with its tid would have, so
            that rows differ; nothing can be addressed by it.
        thread_of: Gpid of the process that a thread belongs to; 0 for a process.
    """

    gpid: int
    pid: int
    parent_gpid: int
    start_ms: int
    started_at_s: float
    user: str
    state: str
    nice: int
    threads: int
    tty: str
    cpu_s: float
    cpu_percent: float
    rss_bytes: int
    vsize_bytes: int
    name: str
    command: tuple[str, ...]
    job: int = 0
    session_gpid: int = 0
    group_gpid: int = 0
    tid: int = 0
    thread_of: int = 0
