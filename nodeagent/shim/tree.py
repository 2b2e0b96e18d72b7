"""The processes of a job's pid namespace, and which of them belong to the job's tree."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A process as its namespace sees it.

    Attributes:
        state: One letter, as proc_pid_stat(5) has it.
    """

    pid: int
    parent: int
    state: str
    name: str


def parse_member(stat: str) -> Member:
    """The process of a ``/proc/PID/stat``; its name may hold anything, also parentheses."""
    head, _, tail = stat.rpartition(")")
    pid, _, name = head.partition(" (")
    state, parent = tail.split()[:2]
    return Member(pid=int(pid), parent=int(parent), state=state, name=name)


def read_members() -> list[Member]:
    """Every process that /proc shows now."""
    members = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - a Path per process would cost more
        if entry.isdigit():
            try:
                members.append(parse_member(Path(f"/proc/{entry}/stat").read_text()))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
    return members


def descendants(members: Iterable[Member], root: int) -> list[Member]:
    """``root`` and all below it, children before their parents."""
    below: dict[int, list[Member]] = {}
    found = []
    for member in members:
        below.setdefault(member.parent, []).append(member)
        if member.pid == root:
            found.append(member)
    for member in found:  # it grows while we walk
        found.extend(below.get(member.pid, ()))
    return found[::-1]


def outsiders(members: Iterable[Member], root: int, known: Iterable[int]) -> list[Member]:
    """Processes that are neither in the tree of ``root`` nor ``known``.

    A dump of the tree would leave them behind without a word.
    """
    everyone = list(members)
    inside = {member.pid for member in descendants(everyone, root)} | set(known)
    return [member for member in everyone if member.pid not in inside]
