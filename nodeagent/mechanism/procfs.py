"""The processes of this machine, read from /proc: `stat` each time, command lines when they change.

A scan of 300 processes costs about 3 ms of CPU, less than a tenth of what psutil needs, since it
opens one file per process and remembers the rest. A line that did not change is not even parsed.
What is remembered is checked: an exec moves the stack, so the command line is read again then. A
program may also rewrite its own title in place (sshd does), which no field of ``stat`` betrays; so
a command line is never older than ``COMMAND_MAX_AGE_S``.

Source: proc_pid_stat(5), proc_pid_cmdline(5), proc_pid_status(5).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

COMMAND_MAX_AGE_S: Final = 5.0
"""How long a changed process title may go unseen."""

COMMAND_LIMIT_BYTES: Final = 4096
"""What is kept of a command line; ten thousand rows must fit into one message."""

STATUS_LIMIT_BYTES: Final = 65536  # of which most are a list of groups
STAT_LIMIT_BYTES: Final = 2048  # 52 numbers of at most 20 digits, and a name of at most 64 bytes
_KERNEL_THREAD: Final = 0x00200000  # PF_KTHREAD in the flags of stat
_EXITING: Final = 0x00000004  # PF_EXITING
_KILLED: Final = 0x00000200 | 0x00000400  # PF_DUMPCORE, PF_SIGNALED

GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
"""What reading a process gives once it has ended, or where hidepid keeps it from us."""


class Stat(NamedTuple):
    """What one ``/proc/PID/stat`` tells; times in ticks, sizes in bytes."""

    name: bytes
    state: str
    ppid: int
    pgrp: int
    session: int
    tty_number: int
    flags: int
    utime_ticks: int
    stime_ticks: int
    nice: int
    threads: int
    start_ticks: int
    vsize_bytes: int
    rss_bytes: int
    start_stack: int


class HostProcess(NamedTuple):
    r"""One process of this machine.

    Attributes:
        tty: Its terminal, for instance ``pts/3``; ``?`` for none.
        utime_ticks: Of ``TICKS_PER_SECOND``, as all ticks here.
        start_ticks: Since boot; with the pid it identifies the process.
        uid: Effective user id.
        name: Its ``comm``. A byte that is no UTF-8 is written ``\xNN``, here and in ``command``.
        command: Its arguments; empty for kernel threads, zombies, and where they may not be read.
    """

    pid: int
    ppid: int
    pgrp: int
    session: int
    tty: str
    state: str
    utime_ticks: int
    stime_ticks: int
    nice: int
    threads: int
    start_ticks: int
    vsize_bytes: int
    rss_bytes: int
    uid: int
    name: str
    command: tuple[str, ...]


class _Known(NamedTuple):
    """What is remembered of a process: itself, and what its arguments were read beside.

    Most processes of a machine do nothing between two scans; theirs is the same line of ``stat``.
    """

    line: bytes
    process: HostProcess
    raw_name: bytes
    start_stack: int
    read_at_s: float


class ProcessTable:
    """Reads all processes on demand. Not for two threads at once.

    Args:
        root: Where /proc is mounted.
        monotonic: A clock in seconds that never goes back.
    """

    def __init__(
        self, root: Path = Path("/proc"), monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._root = str(root)
        self._monotonic = monotonic
        self._known: dict[int, _Known] = {}
        self._namespace_pids: dict[int, tuple[int, tuple[int, ...]]] = {}

    def scan(self) -> list[HostProcess]:
        """All processes that lived throughout the scan, by ascending pid, and some of the others.

        A process that ends meanwhile is left out. One whose parent ended meanwhile is read again,
        so that nobody hangs from a parent that is not in the list, pid 0 apart.
        """
        now_s = self._monotonic()
        before, self._known = self._known, {}
        found: dict[int, HostProcess] = {}
        names = os.listdir(self._root)  # noqa: PTH208 - a Path per process would cost 1 ms
        for pid in sorted(int(name) for name in names if name.isdigit()):
            process = self._read(pid, now_s, before)
            if process is not None:
                found[pid] = process
        for orphan in [p for p in found.values() if p.ppid and p.ppid not in found]:
            process = self._read(orphan.pid, now_s, self._known)
            if process is None:
                del found[orphan.pid]
            else:
                found[orphan.pid] = process
        self._namespace_pids = {
            pid: known
            for pid, known in self._namespace_pids.items()
            if pid in found and found[pid].start_ticks == known[0]
        }
        return list(found.values())

    def scan_below(self, pid: int) -> list[HostProcess]:
        """A process and all below it, by ascending pid: complete if none of them runs meanwhile.

        It costs nothing for the others. A kernel that does not list children gets a whole scan.

        Source: proc_pid_task(5), ``children``; CONFIG_PROC_CHILDREN, which CRIU needs as well.
        """
        now_s = self._monotonic()
        try:
            pids = sorted([pid, *descendants(pid, self._root)])
        except GONE:
            return self.scan()
        found = (self._read(each, now_s, self._known) for each in pids)
        return [process for process in found if process is not None]

    def namespace_pids(self, pid: int, start_ticks: int) -> tuple[int, ...]:
        """The pids of a process in each pid namespace, ours first; empty once it has ended.

        They cannot change while it lives, so each process is asked once.
        """
        known = self._namespace_pids.get(pid)
        if known is not None and known[0] == start_ticks:
            return known[1]
        try:
            status = read_file(f"{self._root}/{pid}/status", 4096)
        except GONE:
            return ()
        pids = parse_namespace_pids(status)
        self._namespace_pids[pid] = (start_ticks, pids)
        return pids

    def _read(self, pid: int, now_s: float, before: dict[int, _Known]) -> HostProcess | None:
        """One process, or None when it is gone."""
        directory = f"{self._root}/{pid}"
        try:
            line = read_file(f"{directory}/stat", STAT_LIMIT_BYTES)
            # The directory's owner is the effective user. The files within belong to root when
            # the process may not be dumped, as sshd's children.
            uid = os.stat(directory).st_uid  # noqa: PTH116 - as above
        except GONE:
            return None
        known = before.get(pid)
        if known is not None and now_s - known.read_at_s > COMMAND_MAX_AGE_S:
            known = None
        if known is None or known.line != line or known.process.uid != uid:
            known = _seen(line, uid, pid, directory, known, now_s)
        self._known[pid] = known
        return known.process


def _seen(
    line: bytes, uid: int, pid: int, directory: str, known: _Known | None, now_s: float
) -> _Known:
    """A process that was read; its name and arguments as they are known, where they still hold."""
    stat = parse_stat(line)
    if (
        known is not None
        and known.process.start_ticks == stat.start_ticks
        and known.raw_name == stat.name
        and known.start_stack == stat.start_stack
    ):
        name, command, read_at_s = known.process.name, known.process.command, known.read_at_s
    else:
        name, read_at_s = stat.name.decode("utf-8", "backslashreplace"), now_s
        command = () if stat.flags & _KERNEL_THREAD else _command(directory)
    process = HostProcess(
        pid,
        stat.ppid,
        stat.pgrp,
        stat.session,
        terminal_name(stat.tty_number),
        stat.state,
        stat.utime_ticks,
        stat.stime_ticks,
        stat.nice,
        stat.threads,
        stat.start_ticks,
        stat.vsize_bytes,
        stat.rss_bytes,
        uid,
        name,
        command,
    )
    return _Known(line, process, stat.name, stat.start_stack, read_at_s)


def parse_stat(data: bytes) -> Stat:
    """The fields of a ``/proc/PID/stat``, whatever bytes the name holds.

    A name may hold parentheses, blanks and line ends; nothing after it holds a parenthesis.

    Raises:
        ValueError: This is no line of ``stat``.
    """
    opening = data.find(b"(")
    closing = data.rfind(b")")
    fields = data[closing + 1 :].split()
    if opening < 0 or closing < opening or len(fields) < 26:
        raise ValueError(f"not a line of /proc/PID/stat: {data[:80]!r}")
    return Stat(
        data[opening + 1 : closing],
        fields[0].decode("ascii", "replace"),
        int(fields[1]),
        int(fields[2]),
        int(fields[3]),
        int(fields[4]),
        int(fields[6]),
        int(fields[11]),
        int(fields[12]),
        int(fields[16]),
        int(fields[17]),
        int(fields[19]),
        int(fields[20]),
        int(fields[21]) * PAGE_BYTES,
        int(fields[25]),
    )


def parse_namespace_pids(status: bytes) -> tuple[int, ...]:
    """The pids in the ``NSpid`` line of a ``/proc/PID/status``, outermost first; empty without."""
    # The name in the first line cannot fake it: the kernel writes its line ends as \n in letters.
    start = status.find(b"\nNSpid:")
    if start < 0:
        return ()
    line = status[start + 7 : status.index(b"\n", start + 7)]
    return tuple(int(pid) for pid in line.split())


def descendants(pid: int, root: str = "/proc") -> list[int]:
    """The pids of all processes below one: complete if none of them runs meanwhile.

    Raises:
        FileNotFoundError: The process is gone, or the kernel does not list children.
        ProcessLookupError: The process is gone.
    """
    found: list[int] = []
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        try:
            # Of each thread, for a child is its who forked it.
            for tid in os.listdir(f"{root}/{process}/task"):  # noqa: PTH208 - as above
                with open(f"{root}/{process}/task/{tid}/children", "rb") as file:  # noqa: PTH123
                    waiting += map(int, file.read().split())
        except GONE:
            if process == pid:
                raise
            continue  # it has ended, and so its children are others'
        if process != pid:
            found.append(process)
    return found


def read_state(pid: int) -> str:
    """The letter for the state of a process; empty once it is gone."""
    try:
        return parse_stat(read_file(f"/proc/{pid}/stat", STAT_LIMIT_BYTES)).state
    except GONE:
        return ""


def process_of(tid: int) -> int:
    """The process that a thread is of; the thread itself where that has ended."""
    try:
        text = read_file(f"/proc/{tid}/status", STATUS_LIMIT_BYTES)
    except GONE:
        return tid
    _, _, rest = text.partition(b"\nTgid:\t")
    return int(rest.partition(b"\n")[0] or tid)


def is_dying(pid: int) -> bool:
    """Whether a process has ended or is about to: much memory, or a core file, takes a while.

    One whose first thread has ended by itself lives as long as others do.

    Source: ``PF_EXITING`` and others in Linux, include/linux/sched.h.
    """
    try:
        stat = parse_stat(read_file(f"/proc/{pid}/stat", STAT_LIMIT_BYTES))
    except GONE:
        return True
    if stat.flags & _KILLED:
        return True
    return stat.threads <= 1 and (bool(stat.flags & _EXITING) or stat.state in {"Z", "X"})


@lru_cache(maxsize=1024)
def terminal_name(number: int) -> str:
    """The name of a terminal by its device number, as ps(1) has it; ``?`` for none.

    Source: the kernel's admin-guide/devices.txt.
    """
    major, minor = os.major(number), os.minor(number)
    if 136 <= major <= 143:
        return f"pts/{(major - 136) * 256 + minor}"
    if major == 4:
        return f"tty{minor}" if minor < 64 else f"ttyS{minor - 64}"
    if number == 0:
        return "?"
    return {(5, 0): "tty", (5, 1): "console"}.get((major, minor), f"{major}:{minor}")


def _command(directory: str) -> tuple[str, ...]:
    try:
        data = read_file(f"{directory}/cmdline", COMMAND_LIMIT_BYTES)
    except GONE:
        return ()
    text = data.decode("utf-8", "backslashreplace").rstrip("\0")
    return tuple(text.split("\0")) if text else ()


def read_file(path: str, limit_bytes: int) -> bytes:
    """The first bytes of a file of /proc, in one read, as the kernel makes them in one piece."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, limit_bytes)
    finally:
        os.close(descriptor)
