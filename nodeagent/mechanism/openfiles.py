"""What a process holds open, as /proc shows it: descriptors, mappings, its directory and program.

Source: proc(5), sections ``/proc/pid/fd``, ``fdinfo``, ``map_files`` and ``maps``.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from nodeagent.mechanism.pinned import name_of, pinned, reopened

DELETED: Final = " (deleted)"
INOTIFY: Final = "anon_inode:inotify"
_KERNEL_MINOR_BITS: Final = 20
_GONE: Final = frozenset({errno.ENOENT, errno.ESTALE})
_TRIES: Final = 5
ELF_MAGIC: Final = b"\x7fELF"
_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_HEAD_BYTES: Final = 19
"""Nothing shorter is a program or a database. Files of the kernel that tell each line once, such as
``/proc/kmsg``, have a size of 0, and are left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenThing:
    """One thing that a process of a job needs to exist.

    Attributes:
        pid: Of the process, as the host sees it.
        where: How it holds it: ``fd 3``, ``mapping``, ``cwd``, ``program``, ``root``.
        path: As the kernel names it, without the mark of a deleted file.
        kind: ``file``, ``directory``, ``device``, ``fifo``, ``pipe``, ``socket``, ``memory``,
            ``other`` (``anon_inode`` and the like) or ``gone``: the machine whose file it is, by a
            file system of the network, has it no more.
        size_bytes: Of a file.
        links: How many names a file has; 0 for a deleted one.
        device: Of its file system, with the inode its identity on this host.
        writable: Open for writing.
        is_shared: A mapping through which the file itself may be written to, now or later.
        is_elf: A program or library.
        knows_inode: An SQLite database that keeps a rollback journal: SQLite looks at the inode of
            its file before each transaction, and refuses to write to another one.
        is_locked: A lock is held through it, by flock(2), fcntl(2) or a lease.
        has_lost_name: A file that was opened by a name which it has no more, though it has others;
            or that the kernel made twice at once for several programs, on some file systems.
        watched: Devices of the file systems where an inotify has its watches.
    """

    pid: int
    where: str
    path: str
    kind: str
    size_bytes: int = 0
    links: int = 1
    device: int = 0
    inode: int = 0
    writable: bool = False
    is_shared: bool = False
    is_elf: bool = False
    knows_inode: bool = False
    is_locked: bool = False
    has_lost_name: bool = False
    watched: frozenset[int] = frozenset()

    @property
    def is_fifo(self) -> bool:
        """Whether it is a pipe with a name."""
        return self.kind == "fifo"

    @property
    def is_deleted(self) -> bool:
        """Whether no name leads to it any more."""
        return self.links == 0 and self.kind == "file"


def read_open_things(pids: Iterable[int]) -> list[OpenThing]:
    """What these processes hold open. One that has ended meanwhile holds nothing.

    Raises:
        PermissionError: The caller may not look: it is neither root nor their owner.
    """
    things: list[OpenThing] = []
    for pid in pids:
        try:
            things += _process_things(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return things


def only_read(pids: Iterable[int]) -> set[str]:
    """Files that these processes map as shared, none of them so that it could ever write to it.

    A mapping of a file that was opened for reading is such. The character in ``maps`` does not
    tell, and the mode of the link in ``map_files`` may be that of an earlier mapping at the same
    addresses. All memory of the processes is walked for it.

    Raises:
        OSError: The caller may not look.
    """
    read: set[str] = set()
    written: set[str] = set()
    for pid in pids:
        try:
            with open(  # noqa: PTH123
                f"/proc/{pid}/smaps", encoding="utf-8", errors="surrogateescape"
            ) as smaps:
                for path, flags in _mapped_with_flags(smaps):
                    if "ms" in flags:
                        (written if "mw" in flags else read).add(path)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return read - written


def _mapped_with_flags(smaps: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    path = ""
    for line in smaps:
        if line.startswith("VmFlags:"):
            yield path, line.split()[1:]
        elif not line[0].isupper():
            fields = line.rstrip("\n").split(maxsplit=5)
            path = fields[5] if len(fields) == 6 else ""


def writers_outside(
    inodes: frozenset[tuple[int, int]], pids: frozenset[int], namespace: str
) -> dict[int, int]:
    """Which of these files (device, inode) others than the job have open, with a pid of theirs.

    Args:
        inodes: The files.
        pids: Processes of the job, and its shim. The agent, which asks, is none of the others
            either: it reads files that are to move, for one person's preflight beside another's.
        namespace: The pid namespace of the job, as :func:`pid_namespace` names it. What it forked
            since its processes were listed is in it too.
    """
    found: dict[int, int] = {}
    if not inodes:
        return found
    known = pids | {os.getpid()}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in known:
            continue
        try:
            if namespace and pid_namespace(int(entry.name)) == namespace:
                continue
            for descriptor in (entry / "fd").iterdir():
                status = descriptor.stat()
                if (status.st_dev, status.st_ino) in inodes:
                    found[status.st_ino] = int(entry.name)
        except OSError:
            continue
    return found


def pid_namespace(pid: int) -> str:
    """The pid namespace of a process, ``pid:[4026531836]``.

    Raises:
        OSError: It is gone, or may not be looked at.
    """
    return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115 - a text, not a path to be resolved


def _process_things(pid: int) -> Iterator[OpenThing]:
    base = f"/proc/{pid}"
    for where, link in (("cwd", "cwd"), ("program", "exe"), ("root", "root")):
        yield _thing(pid, where, f"{base}/{link}", writable=False)
    for name in os.listdir(f"{base}/fd"):  # noqa: PTH208 - names are all that is wanted
        with suppress(FileNotFoundError):  # closed since it was listed
            yield _descriptor(pid, base, name)
    yield from _mappings(pid, base)


def _descriptor(pid: int, base: str, name: str) -> OpenThing:
    """What is told of a descriptor in two places is of one thing, unless it changes for ever."""
    link, tries = f"{base}/fd/{name}", _TRIES
    while True:
        before, told = os.readlink(link), _info_lines(base, name)  # noqa: PTH115 - a text
        thing = _thing(
            pid,
            f"fd {name}",
            link,
            writable=_is_writable(told),
            is_locked=any(line.startswith("lock:") for line in told),
        )
        tries -= 1
        if tries == 0 or before in {thing.path, thing.path + DELETED}:
            return replace(thing, watched=_watched(told)) if thing.path == INOTIFY else thing


def _info_lines(base: str, descriptor: str) -> list[str]:
    """Of locks it tells those that this kernel knows of: some file systems keep their own."""
    with open(f"{base}/fdinfo/{descriptor}", "rb") as info:  # noqa: PTH123
        return info.read().decode("ascii", "replace").splitlines()


def _is_writable(told: Iterable[str]) -> bool:
    for line in told:
        if line.startswith("flags:"):
            return int(line.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
    return False


def _watched(told: Iterable[str]) -> frozenset[int]:
    """Lines such as ``inotify wd:1 ino:9e7e sdev:800013 mask:800afce ...``, in hexadecimal."""
    return frozenset(
        os.makedev(device >> _KERNEL_MINOR_BITS, device & (1 << _KERNEL_MINOR_BITS) - 1)
        for line in told
        if line.startswith("inotify ")
        for word in line.split()
        if word.startswith("sdev:")
        for device in (int(word[5:], 16),)
    )


def mapping_link(base: str, addresses: str) -> str:
    """The link to a mapped file, for the addresses as ``maps`` has them: without zeros before."""
    first, _dash, end = addresses.partition("-")
    return f"{base}/map_files/{first.lstrip('0') or '0'}-{end.lstrip('0')}"


def _mappings(pid: int, base: str) -> Iterator[OpenThing]:
    """Each mapped file once; writable where a shared mapping may change it."""
    seen: set[tuple[str, bool, bool]] = set()
    with open(f"{base}/maps", encoding="utf-8", errors="surrogateescape") as maps:  # noqa: PTH123
        for line in maps:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) < 6 or not fields[5].startswith("/"):
                continue
            permissions, path = fields[1], fields[5]
            is_shared = permissions[3] == "s"
            writable = permissions[1] == "w" and is_shared
            if (path, writable, is_shared) in seen:
                continue
            seen.add((path, writable, is_shared))
            link = mapping_link(base, fields[0])
            try:
                yield _thing(pid, "mapping", link, writable=writable, is_shared=is_shared)
            except (FileNotFoundError, PermissionError):
                continue


def _thing(
    pid: int,
    where: str,
    link: str,
    *,
    writable: bool,
    is_shared: bool = False,
    is_locked: bool = False,
) -> OpenThing:
    with pinned(link) as place:
        path = name_of(place)
        try:
            status = os.fstat(place)
        except OSError as exc:
            if exc.errno not in _GONE:
                raise
            return OpenThing(pid=pid, where=where, path=path, kind="gone")
        kind = _kind(path, status.st_mode)
        head = _head(place) if kind == "file" and status.st_size >= _HEAD_BYTES else b""
    is_marked = path.endswith(DELETED) and not _is_at(f"/proc/{pid}/root{path}", status)
    return OpenThing(
        pid=pid,
        where=where,
        path=path.removesuffix(DELETED) if is_marked else path,
        kind=kind,
        size_bytes=status.st_size,
        links=status.st_nlink,
        device=status.st_dev,
        inode=status.st_ino,
        writable=writable,
        is_shared=is_shared,
        is_locked=is_locked,
        has_lost_name=is_marked and kind == "file" and status.st_nlink > 0,
        is_elf=not writable and head.startswith(ELF_MAGIC),
        knows_inode=writable and _keeps_rollback_journal(head),
    )


def _is_at(path: str, status: os.stat_result) -> bool:
    """Whether a file really has the name that the kernel gives to those without one."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return os.path.samestat(found, status)


def _kind(path: str, mode: int) -> str:
    if path.startswith(("/memfd:", "/dev/zero (deleted)", "/SYSV")):
        return "memory"
    if not path.startswith("/"):
        return {"pipe": "pipe", "socket": "socket"}.get(path.split(":", 1)[0], "other")
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    if stat.S_ISFIFO(mode):
        return "fifo"
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return "device"
    return "other"


def _keeps_rollback_journal(head: bytes) -> bool:
    """Byte 18 of an SQLite database is 1 with a rollback journal, 2 with a write-ahead log.

    Source: sqlite.org/fileformat.html, section 1.3; ``fileHasMoved`` in SQLite's ``os_unix.c``.
    """
    return head.startswith(_SQLITE_MAGIC) and head[18:] == b"\1"


def _head(place: int) -> bytes:
    """The first bytes of a pinned regular file; none where it cannot be read."""
    try:
        descriptor = reopened(place)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _HEAD_BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
