"""Why a process that ssi did not start cannot become a job. Pure.

A job runs in a pid namespace of its own, below a shim: whatever ties a process to its place outside
of itself is named here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Final

from nodeagent.adoption.tree import Candidate
from nodeagent.mechanism.openfiles import OpenThing

LOW_PIDS: Final = 100
"""Below this are, inside of a job, the shim, CRIU and its helpers."""

INIT: Final = 1


def hopeless(tree: Sequence[Candidate], own: Set[int]) -> str:
    """Why it is idle to look further; empty where it is not.

    Args:
        tree: The process first, then all below it.
        own: Pids of the agent, the keeper and the shims.
    """
    root = tree[0]
    if root.pid == INIT:
        return "it is the first process of the machine"
    if root.is_kernels:
        return f"{root.name} is a thread of the kernel"
    if root.state == "Z":
        return "it has ended, and its parent has not taken note yet"
    ours = [each for each in tree if each.pid in own]
    if ours:
        return f"process {ours[0].pid} ({ours[0].name}) is a part of ssi itself"
    return ""


def ties(
    tree: Sequence[Candidate], *, force: bool, name_of: Callable[[int], str], reapers: Set[str]
) -> list[str]:
    """What ties the processes themselves to their place, each in a sentence.

    Args:
        tree: The process first, then all below it.
        force: Its parent may see it end.
        name_of: What a process is called.
        reapers: Names of programs that adopt orphans, and care for none of them.
    """
    root = tree[0]
    found = []
    parent = name_of(root.parent)
    if root.parent > INIT and parent not in reapers and not force:
        found.append(
            f"process {root.parent} ({parent}) started it and would see it end; leave that one "
            "first, or --force"
        )
    if root.cgroup.endswith(".service"):
        found.append(f"systemd would start {root.cgroup} again")
    for each in tree:
        who = f"process {each.pid} ({each.name})"
        if each.pid < LOW_PIDS:
            found.append(f"{who}: pids below {LOW_PIDS} are taken inside of a job")
        if each.tracer:
            found.append(f"{who} is traced by process {each.tracer}")
        if each.foreign:
            names = ", ".join(each.foreign)
            found.append(f"{who} is in namespaces of its own ({names}), as in a container")
        if set(each.uids) != set(root.uids):
            found.append(f"{who} runs as uid {each.uids[1]}, others as uid {root.uids[1]}")
    return found


def shared_pipes(
    things: Iterable[OpenThing], outside: Mapping[int, int], name_of: Callable[[int], str]
) -> list[str]:
    """Pipes of which another process has an end, each in a sentence.

    Args:
        things: All that the tree holds open.
        outside: Inodes of pipes that others have open, with a pid of theirs.
        name_of: What a process is called.
    """
    found = []
    for thing in things:
        other = outside.get(thing.inode) if thing.kind == "pipe" else None
        if other is not None:
            who = f"process {thing.pid}, {thing.where}"
            found.append(f"{who}: a pipe to or from process {other} ({name_of(other)})")
    return found


def shared_memory(things: Iterable[OpenThing]) -> list[str]:
    """Objects of System V, which are the whole machine's."""
    return [
        f"process {thing.pid}: System V shared memory {thing.path}, which is the machine's"
        for thing in things
        if thing.path.startswith("/SYSV")
    ]
