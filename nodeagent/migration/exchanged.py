"""Whether what CRIU has opened for a job, as root, is what the job had.

It opens files by their paths, which their user may exchange at that moment, for a link to what is
not theirs. So what the restored processes hold is looked at before they run. What their user could
have opened by themselves is no matter; all else must be what was brought, or as it was described.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from nodeagent.job import Job
from nodeagent.mechanism.openfiles import mapping_link
from nodeagent.mechanism.pinned import Identity, identity_of
from nodeagent.mechanism.procfs import descendants, read_state
from nodeagent.migration.arrival import Arrival
from nodeagent.migration.describe import group_name, user_name
from nodeagent.migration.plan import SYSTEM_DIRECTORIES
from ssi.model.shim import RestoreFailed
from ssi.protocol.migration import FileMeta, RestoreJob

ZOMBIE: Final = "Z"
_KINDS: Final = {"file": stat.S_ISREG, "directory": stat.S_ISDIR, "fifo": stat.S_ISFIFO}


@dataclass(kw_only=True)
class Expected:
    """What the processes of a job may hold beside what is open to their user.

    Attributes:
        uid: Of the job's owner.
        brought: Files that were put at their paths, or stood there and belong to their owner.
        described: What else it has: other files, programs, directories, files of other nodes.
        shared: Paths on network file systems.
        criu: Directories of the CRIU that has restored it. What it uses itself of these, each of
            the processes has open until it runs.
    """

    uid: int
    brought: Set[Identity] = frozenset()
    described: Iterable[FileMeta] = ()
    shared: Set[str] = frozenset()
    criu: tuple[str, ...] = ()

    @cached_property
    def by_path(self) -> dict[str, FileMeta]:
        """Also where a link of this node leads; what a user's leads to is of another owner."""
        metas = list(self.described)
        return {os.path.realpath(meta.path): meta for meta in metas} | {
            meta.path: meta for meta in metas
        }

    def is_open_to_user(self, status: os.stat_result, *, writable: bool) -> bool:
        """Whether the job's owner could have opened it without help."""
        if self.uid == 0 and not writable:
            return True
        needed = stat.S_IWOTH if writable else stat.S_IROTH
        return bool(status.st_mode & needed) or 0 != self.uid == status.st_uid

    def has(self, status: os.stat_result, path: str) -> bool:
        """Whether it is what the job had."""
        if identity_of(status) in self.brought or path in self.shared:
            return True
        if path in self.criu or path.startswith(tuple(f"{each}/" for each in self.criu)):
            return True
        if self.uid == 0 and path.startswith(SYSTEM_DIRECTORIES):
            return True  # of the kernel's files no plan tells
        meta = self.by_path.get(path)
        if meta is None:
            return False
        return (
            _KINDS[meta.kind](status.st_mode)
            and stat.S_IMODE(status.st_mode) == meta.mode
            and user_name(status.st_uid) == meta.user
            and group_name(status.st_gid) == meta.group
        )


def expected_of(arrival: Arrival, job: Job, body: RestoreJob) -> Expected:
    """What the processes of a job that has come may hold."""
    return Expected(
        uid=arrival.uid,
        brought=arrival.landing.brought,
        described=(*arrival.programs, *body.files, *body.directories, *body.followed),
        shared=frozenset(arrival.shared),
        criu=(str(arrival.images), str(job.sockets)),
    )


def check_opened(root_pid: int, expected: Expected) -> None:
    """Holds when the processes of a job at its barrier hold nothing else.

    Args:
        root_pid: The first of them; all others are below it.
        expected: What they may hold.

    Raises:
        RestoreFailed: They do.
        OSError: It cannot be seen.
    """
    mapped: set[tuple[str, str, bool]] = set()
    for pid in (root_pid, *descendants(root_pid)):
        if read_state(pid) == ZOMBIE:
            continue
        for where, path, status, writable in _held(pid, mapped, for_reading=expected.uid != 0):
            if expected.is_open_to_user(status, writable=writable):
                continue
            if not expected.has(status, path):
                reason = f"process {pid}, {where}: {path} is not what the job had open"
                raise RestoreFailed(reason=reason)


def _held(
    pid: int, mapped: set[tuple[str, str, bool]], *, for_reading: bool
) -> Iterator[tuple[str, str, os.stat_result, bool]]:
    """How a process holds what has a name, the name, what that is, and whether for writing.

    Args:
        pid: Which.
        mapped: Device, inode and whether for writing, of all mapped files that were told; those of
            one program are mapped by each of its processes.
        for_reading: Also what it can only read.
    """
    base = f"/proc/{pid}"
    if for_reading:
        yield "cwd", os.readlink(f"{base}/cwd"), os.stat(f"{base}/cwd"), False  # noqa: PTH115, PTH116
    for number in os.listdir(f"{base}/fd"):  # noqa: PTH208
        link = f"{base}/fd/{number}"
        path = os.readlink(link)  # noqa: PTH115
        if _has_name(path):
            status = os.stat(link)  # noqa: PTH116
            writable = _is_writable(base, number)
            if _is_judged(status) and (writable or for_reading):
                yield f"fd {number}", path, status, writable
    with open(f"{base}/maps", encoding="utf-8", errors="surrogateescape") as maps:  # noqa: PTH123
        for line in maps:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) < 6 or not _has_name(fields[5]):
                continue
            writable = fields[1][1] == "w" and fields[1][3] == "s"
            held = (fields[3], fields[4], writable)
            if held not in mapped and (writable or for_reading):
                mapped.add(held)
                status = os.stat(mapping_link(base, fields[0]))  # noqa: PTH116
                if _is_judged(status):
                    yield "mapping", fields[5], status, writable


def _has_name(path: str) -> bool:
    return path.startswith("/") and not path.startswith(("/memfd:", "/SYSV"))


def _is_judged(status: os.stat_result) -> bool:
    """Devices are opened as such by CRIU, and what has no name any more it has made itself."""
    kinds = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISFIFO)
    return status.st_nlink > 0 and any(is_kind(status.st_mode) for is_kind in kinds)


def _is_writable(base: str, number: str) -> bool:
    with open(f"{base}/fdinfo/{number}", "rb") as info:  # noqa: PTH123
        for line in info:
            if line.startswith(b"flags:"):
                return int(line.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
    return True
