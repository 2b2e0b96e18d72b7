"""The process table of this node: host processes and processes of jobs, all under their gpids.

Every process that descends from a job's shim belongs to the job, the shim itself and its CRIU
apart: those are ordinary processes of the host. A job is a tree of its own, so what its processes
have outside of it (the parent of the first, the session that the shim leads) is 0: it would change
with each move. A process of a job that could not be named yet is shown as one of the host, under
its pid. The shim that a keeper has in reserve, and those that wait between two brief jobs, are
nobody's and come and go with every job, so they are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from nodeagent.mechanism import criu
from nodeagent.mechanism.procfs import TICKS_PER_SECOND, HostProcess
from nodeagent.services.members import Member, Membership, Sighting
from nodeagent.shim.keepermessages import KEEPER_NAME, SHIM_NAME, SPARE_NAME
from ssi.model.gpid import gpid_of_host_process
from ssi.model.process import ProcessRow


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldJob:
    """A job of this node, as the table needs it.

    Attributes:
        gpid: Its first gpid.
        shim_pid: As the host sees it.
        membership: Names its processes, and is brought up to date by :func:`process_rows`.
        unsettled: Whether a move of it has begun and not ended.
    """

    gpid: int
    shim_pid: int
    membership: Membership
    unsettled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTime:
    """When a scan was taken, by both clocks of the node.

    Attributes:
        wall_s: CLOCK_REALTIME.
        since_boot_s: CLOCK_BOOTTIME, which start times count in.
    """

    wall_s: float
    since_boot_s: float


NamespacePids = Callable[[int, int], tuple[int, ...]]
"""Pid and start ticks to the pids in each namespace; as ``ProcessTable.namespace_pids``."""


def process_rows(
    scan: Sequence[HostProcess],
    jobs: Iterable[HeldJob],
    *,
    node_number: int,
    taken: ScanTime,
    namespace_pids: NamespacePids,
    user_name: Callable[[int], str],
) -> list[ProcessRow]:
    """One row for each process of a scan, by ascending gpid. Newcomers of jobs get their gpids."""
    scan = _without_spares(scan)
    boot_s = taken.wall_s - taken.since_boot_s
    of_pid: dict[int, tuple[int, Member]] = {}
    for job, members in _members(scan, jobs, boot_s, namespace_pids):
        of_pid.update({pid: (job, member) for pid, member in members.items()})

    def host_gpid(pid: int) -> int:  # also of a leader that has ended: its session goes on
        return gpid_of_host_process(node_number, pid) if pid > 0 else 0

    def gpid_within(job: int, pid: int) -> int:
        owner, member = of_pid.get(pid, (0, None))
        return member.gpid if member is not None and owner == job else 0

    rows = []
    for process in scan:
        job, member = of_pid.get(process.pid, (0, None))
        if member is None:
            start_ms = process.start_ticks * 1000 // TICKS_PER_SECOND
            identity = _Identity(host_gpid(process.pid), start_ms, 0, boot_s + start_ms / 1000)
            gpid_of = host_gpid
        else:
            identity = _Identity(member.gpid, member.born_ms, job, member.born_ms / 1000)
            gpid_of = partial(gpid_within, job)
        rows.append(_row(process, identity, gpid_of, taken.since_boot_s, user_name(process.uid)))
    rows.sort(key=lambda row: row.gpid)
    return rows


def select_rows(
    rows: Iterable[ProcessRow], *, gpids: Collection[int] = (), jobs: bool = False
) -> list[ProcessRow]:
    """Only rows of these gpids, where any are given; only processes of jobs, where asked for."""
    wanted = frozenset(gpids)
    return [row for row in rows if (not wanted or row.gpid in wanted) and (row.job or not jobs)]


def hide_commands(rows: Iterable[ProcessRow], caller: str) -> list[ProcessRow]:
    """The rows as a user may see them: arguments of other users' processes are left out.

    Arguments hold secrets more often than they should. Root sees all.
    """
    if caller == "root":
        return list(rows)
    return [row if row.user == caller else msgspec.structs.replace(row, command=()) for row in rows]


def _without_spares(scan: Sequence[HostProcess]) -> list[HostProcess]:
    keepers = {process.pid for process in scan if process.name == KEEPER_NAME}
    return [
        process for process in scan if process.name != SPARE_NAME or process.ppid not in keepers
    ]


@dataclass(frozen=True, slots=True)
class _Identity:
    gpid: int
    start_ms: int
    job: int
    started_at_s: float


def _members(
    scan: Sequence[HostProcess],
    jobs: Iterable[HeldJob],
    boot_s: float,
    namespace_pids: NamespacePids,
) -> Iterable[tuple[int, dict[int, Member]]]:
    """For each job its gpid, and its members by their pid on this host."""
    held = tuple(jobs)
    if not held:
        return
    children: dict[int, list[HostProcess]] = {}
    start_ticks: dict[int, int] = {}
    for process in scan:
        children.setdefault(process.ppid, []).append(process)
        start_ticks[process.pid] = process.start_ticks
    shims = {job.shim_pid for job in held}
    for job in held:
        shim_start = start_ticks.get(job.shim_pid)
        outer = namespace_pids(job.shim_pid, shim_start) if shim_start is not None else ()
        inner_pids: dict[int, HostProcess] = {}
        for process in _descendants(job.shim_pid, children, shims):
            inner = _inner_pid(namespace_pids(process.pid, process.start_ticks), len(outer))
            if inner is not None:
                inner_pids[inner] = process
        sightings = (
            Sighting(
                inner,
                process.start_ticks,
                round((boot_s + process.start_ticks / TICKS_PER_SECOND) * 1000),
            )
            for inner, process in inner_pids.items()
        )
        named = job.membership.observe(sightings, unsettled=job.unsettled)
        yield job.gpid, {inner_pids[inner].pid: member for inner, member in named.items()}


def _descendants(
    pid: int, children: Mapping[int, Sequence[HostProcess]], shims: Collection[int]
) -> Iterable[HostProcess]:
    """All below a shim, parents before their children; another job's shim hides its own."""
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        for child in children.get(parent, ()):
            if child.pid not in shims and not (parent == pid and _is_of_shim(child)):
                yield child
                waiting.append(child.pid)


def _is_of_shim(child: HostProcess) -> bool:
    """Whether a child of a shim is its CRIU, or a copy of itself that has yet to begin a program.

    For a moment of execve(2) a process has its new name and no arguments, and so it has while it
    ends. Where CRIU has its request it says so in place of its arguments (setproctitle(3bsd)).
    """
    if child.name == "criu":
        words = child.command
        return not words or words[1:2] in criu.OURS or words[0].startswith("criu: ")
    return child.name == SHIM_NAME


def _inner_pid(pids: Sequence[int], shim_depth: int) -> int | None:
    """The pid inside the job, of the pids in each namespace; None when the process is gone.

    The job's namespace is the innermost of its shim. A process of the job may sit deeper, in a
    namespace that the job made itself, where other numbers would collide.
    """
    if not pids:
        return None
    return pids[min(max(shim_depth, 1), len(pids)) - 1]


def _row(
    process: HostProcess,
    identity: _Identity,
    gpid_of: Callable[[int], int],
    since_boot_s: float,
    user: str,
) -> ProcessRow:
    cpu_s = (process.utime_ticks + process.stime_ticks) / TICKS_PER_SECOND
    # A restored process starts again from 0 s of CPU time, and so does its age on this node.
    age_s = since_boot_s - process.start_ticks / TICKS_PER_SECOND
    return ProcessRow(
        gpid=identity.gpid,
        pid=process.pid,
        parent_gpid=gpid_of(process.ppid),
        start_ms=identity.start_ms,
        started_at_s=identity.started_at_s,
        user=user,
        state=process.state,
        nice=process.nice,
        threads=process.threads,
        tty=process.tty,
        cpu_s=cpu_s,
        cpu_percent=round(100 * cpu_s / age_s, 1) if age_s > 0 else 0.0,
        rss_bytes=process.rss_bytes,
        vsize_bytes=process.vsize_bytes,
        name=process.name,
        command=process.command,
        job=identity.job,
        session_gpid=gpid_of(process.session),
        group_gpid=gpid_of(process.pgrp),
    )
