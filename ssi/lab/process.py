"""Finds a host's init among the machine's processes: the kernel knows it, no file does."""

from __future__ import annotations

from pathlib import Path

from ssi.lab.cgroup import Cgroup


def init_of(cgroup: Cgroup) -> int | None:
    """The machine's pid of the process that is pid 1 of the host; None where the host is down.

    Source: proc(5) on NSpid, which lists a process's pids from our pid namespace inwards.
    """
    for pid in cgroup.pids():
        inward = namespace_pids(pid)
        # Jobs inside the host have namespaces of their own, one level further in.
        if len(inward) == 2 and inward[1] == 1:
            return pid
    return None


def is_booting(pid: int) -> bool:
    """Whether the init is still the shell of ``boot.sh``, waiting for the one who boots it."""
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "sh\n"
    except (FileNotFoundError, ProcessLookupError):
        return True  # it dies, as it does when the one who boots it died


def namespace_pids(pid: int) -> list[int]:
    """The pids of one process, ours first; empty where it is gone or a zombie."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    if fields.get("State", "Z").startswith("Z"):
        return []
    return [int(text) for text in fields["NSpid"].split()]
