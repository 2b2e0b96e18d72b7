"""Whether what CRIU has opened for a job, as root, is what the job had.

It opens files by their paths, which their user may exchange at that moment, for a link to what is
not theirs. So what the restored processes hold is looked at before they run. What their user could
have opened by themselves is no matter; all else must be what was brought, or as it was described.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from nodeagent.job import Job
from nodeagent.mechanism.heldfiles import held_beyond, is_within, not_what_it_had
from nodeagent.mechanism.pinned import Identity, identity_of
from nodeagent.mechanism.procfs import descendants
from nodeagent.migration.arrival import Arrival
from nodeagent.migration.describe import group_name, user_name
from nodeagent.migration.plan import SYSTEM_DIRECTORIES
from ssi.model.shim import RestoreFailed
from ssi.protocol.migration import FileMeta, RestoreJob

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

    def has(self, status: os.stat_result, path: str) -> bool:
        """Whether it is what the job had."""
        if identity_of(status) in self.brought or path in self.shared:
            return True
        if is_within(path, self.criu):
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
    pids = (root_pid, *descendants(root_pid))
    for held in held_beyond(expected.uid, pids):
        if not expected.has(held.status, held.path):
            raise RestoreFailed(reason=not_what_it_had(held))
