"""A process of the host with all its descendants, as /proc shows what of them matters to a dump.

Source: proc(5), namespaces(7).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nodeagent.mechanism.pidfile import start_ticks
from nodeagent.shim.tree import descendants, read_members

NAMESPACES: Final = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One process.

    Attributes:
        is_kernels: A thread of the kernel.
        session: Id of its session.
        uids: Real, effective, saved and file system uid.
        tracer: Pid of who traces it; 0: nobody.
        foreign: Namespaces in which this agent is not.
        cgroup: The last part of its path in the hierarchy of systemd; empty: its root.
        start_ticks: With the pid, its identity.
    """

    pid: int
    parent: int
    name: str
    state: str
    is_kernels: bool
    session: int
    uids: tuple[int, ...]
    gids: tuple[int, ...]
    groups: tuple[int, ...]
    tracer: int
    foreign: tuple[str, ...]
    cgroup: str
    start_ticks: int


def read_tree(root: int) -> list[Candidate]:
    """A process and all below it, itself first.

    Raises:
        OSError: It is gone.
    """
    members = descendants(read_members(), root)
    if not members:
        raise ProcessLookupError(root)
    found = []
    for member in reversed(members):
        try:
            found.append(_read(member.pid, member.parent, member.name, member.state))
        except (FileNotFoundError, ProcessLookupError):
            if member.pid == root:
                raise
    return found


def name_of(pid: int) -> str:
    """What a process is called; empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def _read(pid: int, parent: int, name: str, state: str) -> Candidate:
    base = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1)
        for line in (base / "status").read_text(errors="replace").splitlines()
        if ":" in line
    )
    stat = (base / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return Candidate(
        pid=pid,
        parent=parent,
        name=name,
        state=state,
        is_kernels=not (base / "maps").read_bytes() and state != "Z",
        session=int(stat[3]),
        uids=_numbers(status["Uid"]),
        gids=_numbers(status["Gid"]),
        groups=_numbers(status["Groups"]),
        tracer=int(status["TracerPid"]),
        foreign=() if state == "Z" else _foreign(pid),
        cgroup=_cgroup((base / "cgroup").read_text(errors="replace").splitlines()),
        start_ticks=start_ticks(pid),
    )


def _foreign(pid: int) -> tuple[str, ...]:
    def inode(process: str, name: str) -> str:
        return os.readlink(f"/proc/{process}/ns/{name}")  # noqa: PTH115 - a text, not a path

    return tuple(name for name in NAMESPACES if inode(str(pid), name) != inode("self", name))


def _cgroup(lines: Sequence[str]) -> str:
    """Of version 2, else of the hierarchy that systemd names."""
    for line in lines:
        _number, controllers, path = line.split(":", 2)
        if controllers in {"", "name=systemd"} and path != "/":
            return path.rpartition("/")[2]
    return ""


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split())
