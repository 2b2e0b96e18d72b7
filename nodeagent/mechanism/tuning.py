"""Priority, processors and I/O priority of a process; what it has in its environment and open.

Source: setpriority(2), sched_setaffinity(2), ioprio_set(2), proc_pid_environ(5), proc_pid_fd(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nodeagent.mechanism import libc
from ssi.model.counters import ProcessTraffic


def set_nice(pid: int, nice: int) -> None:
    """Sets the priority of every thread of a process, which Linux keeps for each.

    Raises:
        OSError: It cannot be set.
    """
    for thread in _threads(pid):
        os.setpriority(os.PRIO_PROCESS, thread, nice)


def set_cpus(pid: int, cpus: tuple[int, ...]) -> None:
    """Sets on which processors every thread of a process may run.

    Raises:
        OSError: None of them exists.
    """
    for thread in _threads(pid):
        os.sched_setaffinity(thread, cpus)


def set_io_priority(pid: int, io_class: int, level: int) -> None:
    """Sets the I/O priority of every thread of a process.

    Raises:
        OSError: It cannot be set.
    """
    for thread in _threads(pid):
        libc.set_io_priority(thread, io_class, level)


@contextmanager
def held(pid: int) -> Iterator[Path]:
    """Its directory in /proc, which stays that of this very process, whoever has its pid later.

    Raises:
        FileNotFoundError: There is none.
    """
    descriptor = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def owners(directory: Path) -> frozenset[int]:
    """Its real, effective and saved user ids: who owns all of it is the only one."""
    lines = (directory / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    line = next(line for line in lines if line.startswith("Uid:"))
    return frozenset(int(word) for word in line.split()[1:4])


def environment(directory: Path) -> list[str]:
    """``NAME=value``, as the process was given them, in order of their names."""
    parts = (directory / "environ").read_bytes().split(b"\0")
    return sorted(part.decode(errors="backslashreplace") for part in parts if part)


def open_files(directory: Path) -> list[str]:
    """``  3 rw  1024  /srv/log``: descriptor, how it is open, where in it, and what it is."""
    lines = []
    for descriptor in sorted(int(path.name) for path in (directory / "fd").iterdir()):
        with suppress(FileNotFoundError):  # it was closed meanwhile
            target = os.fsencode((directory / "fd" / str(descriptor)).readlink())
            info = (directory / "fdinfo" / str(descriptor)).read_text(encoding="ascii")
            fields = dict(line.partition(":")[::2] for line in info.splitlines())
            mode = ("r", "w", "rw", "?")[int(fields["flags"], 8) & os.O_ACCMODE]
            name = target.decode(errors="backslashreplace")
            lines.append(f"{descriptor:5d} {mode:2} {int(fields['pos']):12d}  {name}")
    return lines


def processors(pid: int) -> list[str]:
    """Two lines: the numbers of the processors of the machine, and those that it may run on."""
    allowed = ",".join(map(str, sorted(os.sched_getaffinity(pid))))
    return [",".join(map(str, range(os.cpu_count() or 1))), allowed]


def traffic(pid: int, gpid: int) -> ProcessTraffic | None:
    """What a process has read from and written to disks; None where it has ended."""
    try:
        text = Path(f"/proc/{pid}/io").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    fields = dict(line.partition(":")[::2] for line in text.splitlines())
    return ProcessTraffic(
        gpid=gpid,
        read_bytes=int(fields.get("read_bytes", 0)),
        written_bytes=int(fields.get("write_bytes", 0)),
    )


def _threads(pid: int) -> list[int]:
    """All threads; one that ends meanwhile makes the call for it fail as for an ended process."""
    return sorted(map(int, os.listdir(f"/proc/{pid}/task")))  # noqa: PTH208 - only numbers
