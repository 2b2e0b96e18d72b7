"""What processes hold of files: descriptors, mappings, the directory that each is in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from nodeagent.mechanism.openfiles import mapping_link
from nodeagent.mechanism.procfs import read_state

_ZOMBIE: Final = "Z"
_KINDS: Final = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISFIFO)


class HeldFile(NamedTuple):
    """One that has a name.

    Attributes:
        pid: Who holds it.
        where: How: ``fd 3``, ``mapping`` or ``cwd``.
        path: Its name.
        status: What it is.
        writable: Whether it may be written to so.
    """

    pid: int
    where: str
    path: str
    status: os.stat_result
    writable: bool


def held_beyond(uid: int, pids: Iterable[int]) -> Iterator[HeldFile]:
    """What processes that stand still hold, and their user could not have opened without help.

    Devices are left out, and what has no name any more.

    Args:
        uid: Of the user. What root can only read is no matter.
        pids: The processes.

    Raises:
        OSError: It cannot be seen.
    """
    # Device, inode and whether for writing: those of one program are mapped by each process.
    mapped: set[tuple[str, str, bool]] = set()
    for pid in pids:
        if read_state(pid) != _ZOMBIE:
            for held in _held(pid, mapped, for_reading=uid != 0):
                if not is_open_to(uid, held.status, writable=held.writable):
                    yield held


def is_open_to(uid: int, status: os.stat_result, *, writable: bool) -> bool:
    """Whether a user could have opened it without help."""
    if uid == 0 and not writable:
        return True
    needed = stat.S_IWOTH if writable else stat.S_IROTH
    return bool(status.st_mode & needed) or 0 != uid == status.st_uid


def is_within(path: str, directories: tuple[str, ...]) -> bool:
    """Whether it is one of the directories, or below one."""
    return path in directories or path.startswith(tuple(f"{each}/" for each in directories))


def not_what_it_had(held: HeldFile) -> str:
    """Says that a restored process holds what the one that was dumped did not."""
    return f"process {held.pid}, {held.where}: {held.path} is not what the job had open"


def _held(pid: int, mapped: set[tuple[str, str, bool]], *, for_reading: bool) -> Iterator[HeldFile]:
    base = f"/proc/{pid}"
    if for_reading:
        link = f"{base}/cwd"
        yield HeldFile(pid, "cwd", os.readlink(link), os.stat(link), writable=False)  # noqa: PTH115, PTH116
    for number in os.listdir(f"{base}/fd"):  # noqa: PTH208
        link = f"{base}/fd/{number}"
        path = os.readlink(link)  # noqa: PTH115
        if _has_name(path):
            status = os.stat(link)  # noqa: PTH116
            writable = _is_writable(base, number)
            if _is_judged(status) and (writable or for_reading):
                yield HeldFile(pid, f"fd {number}", path, status, writable)
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
                    yield HeldFile(pid, "mapping", fields[5], status, writable)


def _has_name(path: str) -> bool:
    return path.startswith("/") and not path.startswith(("/memfd:", "/SYSV"))


def _is_judged(status: os.stat_result) -> bool:
    """Devices are opened as such by CRIU, and what has no name any more it has made itself."""
    return status.st_nlink > 0 and any(is_kind(status.st_mode) for is_kind in _KINDS)


def _is_writable(base: str, number: str) -> bool:
    with open(f"{base}/fdinfo/{number}", "rb") as info:  # noqa: PTH123
        for line in info:
            if line.startswith(b"flags:"):
                return int(line.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
    return True
