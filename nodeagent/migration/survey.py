"""What a job is before it moves: all that it holds, and what of it stands in the way at its source.

A survey changes nothing, so it serves a dry run as well as a move.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from nodeagent.filesystem.heldlocks import inodes_with_locks
from nodeagent.mechanism import vfork
from nodeagent.mechanism.connections import Connection, read_connections
from nodeagent.mechanism.mounts import Mounts
from nodeagent.mechanism.openfiles import (
    OpenThing,
    only_read,
    pid_namespace,
    read_open_things,
    writers_outside,
)
from nodeagent.mechanism.procfs import is_dying
from nodeagent.mechanism.unixsockets import read_unix_sockets
from nodeagent.migration.describe import describe_file, describe_program
from nodeagent.migration.owners import foreign
from nodeagent.migration.plan import Item, Plan, make_plan
from nodeagent.places import Places
from nodeagent.shim.tree import Member, outsiders
from ssi.model.job import JobRow
from ssi.model.process import ProcessRow
from ssi.protocol.migration import FileMeta

TICK_NS: Final = 20_000_000
"""Two ticks of the slowest clock that stamps files (CONFIG_HZ=100)."""

_TURN_S: Final = 0.02

TWO_INPUTS: Final = (
    "its stdin comes from another job and its keys from a terminal, which stays where it is"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The result of one look.

    Attributes:
        plan: What goes along, and what must be there.
        blockers: What stands in the way here, each in one sentence.
        programs: Programs and libraries, described.
        files: Data files, described.
        steady: Those of them whose size and time of change tell of every later change, by path.
        listening: Where the job listens, as ``tcp 0.0.0.0 80``.
        uid: Of its owner.
        gid: Likewise.
        memory_bytes: Resident, of all its processes.
        has_internet_sockets: Of whatever kind.
    """

    plan: Plan
    blockers: tuple[str, ...]
    programs: tuple[FileMeta, ...]
    files: tuple[FileMeta, ...]
    listening: tuple[str, ...]
    uid: int
    gid: int
    memory_bytes: int
    has_internet_sockets: bool = False
    steady: Mapping[str, FileMeta] = field(default_factory=dict)


def survey_job(
    row: JobRow, processes: Sequence[ProcessRow], *, root_pid: int, shim_pid: int
) -> Survey:
    """Looks at a job that runs. It reads every file that the job has open, so it takes a while.

    Args:
        row: The job.
        processes: All of its processes.
        root_pid: Its first process, as the host sees it.
        shim_pid: Which has the job's streams open, beside the job.

    Raises:
        OSError: The job has just ended, or a file of it cannot be read.
    """
    began_ns = time.time_ns()
    pids = [process.pid for process in processes]
    things = read_open_things(pids)
    plan = plan_of(row, things, pids, root_pid=root_pid, shim_pid=shim_pid)
    # The kernel walks its whole table of connections for it: 8 ms of processor with hardly any.
    sockets = read_connections(root_pid) if _has_sockets(things) else {}
    owner = Path(f"/proc/{root_pid}").stat()
    files = described(describe_file, plan.files)
    return Survey(
        plan=plan,
        blockers=(
            *_strays(row.gpid, processes),
            *foreign(row, processes),
            *starting({process.pid: process.name for process in processes}),
            *plan.blockers,
            *connected(things, sockets),
        ),
        programs=described(describe_program, plan.programs),
        files=files,
        listening=listening(things, sockets),
        uid=owner.st_uid,
        gid=owner.st_gid,
        memory_bytes=sum(process.rss_bytes for process in processes),
        has_internet_sockets=any(thing.inode in sockets for thing in things),
        steady=steady(files, _written_in_memory(things), began_ns),
    )


def _has_sockets(things: Iterable[OpenThing]) -> bool:
    return any(thing.kind == "socket" for thing in things)


def _written_in_memory(things: Iterable[OpenThing]) -> set[str]:
    """Files that may be written to through mappings.

    Nearly every program in Python maps a file of the C library as shared, and only to read it.
    """
    shared = [thing for thing in things if thing.is_shared]
    return {thing.path for thing in shared} - only_read({thing.pid for thing in shared})


def steady(files: Iterable[FileMeta], mapped: Set[str], began_ns: int) -> dict[str, FileMeta]:
    """Files whose next change cannot leave their size and time of change as they were described.

    A write through a shared mapping sets the time only where the page was clean, and two writes
    within a tick of the kernel's coarse clock set the same time (mmap(2), inode(7)).

    Args:
        files: Those of a job.
        mapped: Those that may be written to through mappings.
        began_ns: When looking at them began, by the clock of the files.
    """
    return {
        meta.path: meta
        for meta in files
        if meta.path not in mapped and meta.mtime_ns <= began_ns - TICK_NS
    }


def plan_of(
    row: JobRow,
    things: Sequence[OpenThing],
    pids: Sequence[int],
    *,
    root_pid: int,
    shim_pid: int,
) -> Plan:
    """What of the things that a job holds goes along.

    Raises:
        OSError: The job has just ended.
    """
    written = frozenset(
        (thing.device, thing.inode)
        for thing in things
        if (thing.kind == "file" and thing.writable) or thing.is_fifo
    )
    plan = make_plan(
        _with_far_locks(row, things),
        Mounts.of_process(root_pid),
        root_pid=root_pid,
        has_terminal=row.has_terminal,
        other_writers=writers_outside(
            written, frozenset({*pids, shim_pid}), pid_namespace(root_pid)
        ),
        unix_sockets=read_unix_sockets() if _has_sockets(things) else {},
        seen=row.files,
    )
    if row.piped_stdin:
        return replace(plan, blockers=(TWO_INPUTS, *plan.blockers))
    return plan


def _with_far_locks(row: JobRow, things: Sequence[OpenThing]) -> Sequence[OpenThing]:
    """The things, of which those are locked for which another node's server holds a lock."""
    if row.files is None:
        return things
    held = inodes_with_locks(Places.of_this_user().files)
    return [replace(each, is_locked=each.is_locked or each.inode in held) for each in things]


def described(describe: Callable[[Item], FileMeta], items: Iterable[Item]) -> tuple[FileMeta, ...]:
    """Descriptions; a file that was closed, or whose process ended, since it was seen is left out.

    Nothing is lost by that: the plan is made again once the job is frozen.
    """
    metas = []
    for item in items:
        with suppress(FileNotFoundError):
            metas.append(describe(item))
    return tuple(metas)


def _strays(gpid: int, processes: Sequence[ProcessRow]) -> list[str]:
    """As :func:`strangers`; one that ended while it was read has no parent, and is none of them."""
    found = strangers(gpid, processes)
    return found and strangers(gpid, [row for row in processes if not is_dying(row.pid)])


def strangers(gpid: int, processes: Iterable[ProcessRow]) -> list[str]:
    """Processes of the job that left its tree: CRIU dumps the tree and would leave them behind."""
    living = [row for row in processes if row.state != "Z"]
    members = [
        Member(pid=row.gpid, parent=row.parent_gpid, state=row.state, name=row.name)
        for row in living
    ]
    left = {member.pid for member in outsiders(members, gpid, known=())}
    return [
        f"process {row.pid} ({row.name}) has left the tree of the job, as daemons do"
        for row in living
        if row.gpid in left
    ]


def starting(names: Mapping[int, str], settle_s: float = 0.5) -> list[str]:
    """Processes that CRIU could not stop, for each waits until another has begun its program.

    Args:
        names: Of the job's processes, by pid.
        settle_s: Most begin theirs at once; only what takes longer than this is told.
    """
    until_s = time.monotonic() + settle_s
    found = vfork.waiting(names)
    while found and time.monotonic() < until_s:
        time.sleep(_TURN_S)
        found &= vfork.waiting(names)
    return [
        f"process {pid} ({names[pid]}) waits in vfork(2) until its child {child} has begun its"
        " program, which is frozen, stopped or waits itself; let it go on for a moment"
        for pid, child in sorted(found)
    ]


def connected(things: Iterable[OpenThing], sockets: Mapping[int, Connection]) -> list[str]:
    """Connections, whose other end would stay behind."""
    return [
        f"process {thing.pid}, {thing.where}: a {found.kind} connection from "
        f"{_text(found.local)} to {_text(found.remote)}"
        for thing in things
        if thing.kind == "socket" and (found := sockets.get(thing.inode)) and found.connected
    ]


def listening(things: Iterable[OpenThing], sockets: Mapping[int, Connection]) -> tuple[str, ...]:
    """Where the job listens, each address once."""
    found = {sockets[thing.inode] for thing in things if thing.inode in sockets}
    return tuple(
        sorted(f"{each.kind} {each.local[0]} {each.local[1]}" for each in found if each.listening)
    )


def _text(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
