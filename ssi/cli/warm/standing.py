"""What a process inherits and a command could notice: rights, limits, niceness, signals, umask."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RIGHTS: Final = (
    "Uid",
    "Gid",
    "Groups",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
)
"""Lines of ``/proc/PID/status`` that cannot be changed afterwards, or not back."""

CAP_SYS_NICE: Final = 23
CAP_SYS_RESOURCE: Final = 24

LIMITS: Final = tuple(
    sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
)

Limit = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a process stands before the kernel.

    Attributes:
        rights: The lines of :data:`RIGHTS`.
        capabilities: The effective ones, as a set of bits.
        umask: File mode creation mask.
        blocked: Blocked signals, a bit each, that of signal 1 lowest.
        ignored: Ignored signals, likewise.
        limits: Soft and hard limit by resource.
        nice: -20 to 19.
        oom_score_adj: -1000 to 1000.
        cpus: The processors it may run on.
    """

    rights: Mapping[str, str]
    capabilities: int
    umask: int
    blocked: int
    ignored: int
    limits: Mapping[int, Limit]
    nice: int
    oom_score_adj: int
    cpus: frozenset[int]


def standing_of(pid: int) -> Standing:
    """The standing of a process of the same user.

    Raises:
        OSError: It ended, or belongs to somebody else.

    Source: proc(5), prlimit(2).
    """
    status = parse_status(Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace"))
    return Standing(
        rights={name: status.get(name, "") for name in RIGHTS},
        capabilities=int(status["CapEff"], 16),
        umask=int(status["Umask"], 8),
        blocked=int(status["SigBlk"], 16),
        ignored=int(status["SigIgn"], 16),
        limits={number: resource.prlimit(pid, number) for number in LIMITS},
        nice=os.getpriority(os.PRIO_PROCESS, pid),
        oom_score_adj=int(Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii")),
        cpus=frozenset(os.sched_getaffinity(pid)),
    )


def parse_status(text: str) -> dict[str, str]:
    """The lines of ``/proc/PID/status`` by their names."""
    lines = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in lines}


def shortfall(mine: Standing, theirs: Standing) -> str:
    """Why a child of mine cannot stand as they do; empty where it can."""
    for name in RIGHTS:
        if mine.rights[name] != theirs.rights[name]:
            return f"{name} differs"
    if not mine.capabilities >> CAP_SYS_RESOURCE & 1:
        for number, (_, hard) in theirs.limits.items():
            if _height(hard) > _height(mine.limits[number][1]):
                return f"limit {number} is lower here"
        if theirs.oom_score_adj < mine.oom_score_adj:
            return "oom_score_adj is higher here"
    if theirs.nice < mine.nice and not mine.capabilities >> CAP_SYS_NICE & 1:
        return "niceness is higher here"
    return ""


def assume(mine: Standing, theirs: Standing) -> None:
    """Makes this process stand as they do, where :func:`shortfall` found nothing; signals apart.

    Raises:
        OSError: The kernel refused.
    """
    for number, limit in theirs.limits.items():
        if limit != mine.limits[number]:
            resource.setrlimit(number, limit)
    if theirs.oom_score_adj != mine.oom_score_adj:
        Path("/proc/self/oom_score_adj").write_text(str(theirs.oom_score_adj), encoding="ascii")
    if theirs.cpus != mine.cpus:
        os.sched_setaffinity(0, theirs.cpus)
    if theirs.nice != mine.nice:
        os.setpriority(os.PRIO_PROCESS, 0, theirs.nice)
    os.umask(theirs.umask)


def numbers_in(bits: int) -> set[int]:
    """The signals in a set of bits."""
    return {number for number in range(1, 65) if bits >> number - 1 & 1}


def _height(limit: int) -> float:
    return float("inf") if limit == resource.RLIM_INFINITY else limit
