"""Whether a job can be dumped at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nodeagent.mechanism import cgroup
from nodeagent.shim import tree
from nodeagent.shim.job import Job
from nodeagent.shim.tree import Member
from nodeagent.shim.worker import Worker
from ssi.model.shim import DumpFailed, NotMovable


def check_movable(job: Job) -> None:
    """Holds when the job can be dumped at all.

    Raises:
        NotMovable: They cannot.
    """
    if job.host is None:
        raise NotMovable(reason="the agent that started it has no root")
    if job.stdio.keys is not None:
        raise NotMovable(reason="its stdin is a pipe, and its keys come from a terminal")
    if job.memory is not None:
        raise NotMovable(reason="its memory is still on its way from where it was before")
    if job.cgroup and cgroup.is_frozen(job.cgroup) and not cgroup.is_unified(job.cgroup):
        # CRIU would wait for processes that cannot answer, and they would die when it gave up.
        raise NotMovable(reason="it is frozen; thaw it first")


def check_complete(
    members: Iterable[Member],
    root: int,
    worker: Worker | None,
    look_again: Callable[[], Iterable[Member]],
) -> None:
    """Holds when every process of the namespace is in the tree of the job, or is our CRIU.

    Args:
        members: All of them.
        root: The job's first process.
        worker: Our CRIU.
        look_again: Reads them once more: a process that ended while it was read has no parent.

    Raises:
        DumpFailed: One is not, and a move would leave it behind.
    """
    known = (1, worker.pid if worker is not None else 0)
    strangers = tree.outsiders(members, root, known)
    if strangers:
        there = {member.pid for member in tree.outsiders(look_again(), root, known)}
        strangers = [member for member in strangers if member.pid in there]
    if strangers:
        names = ", ".join(f"{member.pid} ({member.name})" for member in strangers[:5])
        raise DumpFailed(reason=f"these of its processes have left its tree: {names}")
