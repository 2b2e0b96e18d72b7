"""Files of a job as the destination is told of them: what they are and what is in them."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterable, Mapping
from typing import Final

from nodeagent.mechanism.digest import digests_of, sha256
from nodeagent.mechanism.pinned import open_regular, status_of
from nodeagent.migration.plan import Item
from ssi.protocol.migration import FileMeta

CHUNK_BYTES: Final = 1024 * 1024
_KINDS: Final = {stat.S_IFDIR: "directory", stat.S_IFIFO: "fifo"}
HEAD_BYTES: Final = 4096
"""Of a program: its ELF header and its build id stand here (elf(5))."""


def describe_file(item: Item) -> FileMeta:
    """A data file with the SHA-256 of each of its chunks; a named pipe, which has none.

    SHA-256 because processors have it in hardware: 1.7 GB/s where BLAKE2b has 0.9 (measured).
    Size and time are those before it was read: what is written meanwhile shows as a change of it.

    Raises:
        OSError: It cannot be read; ``FileNotFoundError``: or is not there any more.
    """
    if item.is_fifo:  # to open it would wait for its other end
        return _meta(item, status_of(item.link, item.identity))
    with os.fdopen(open_regular(item.link, item.identity), "rb") as file:
        status = os.fstat(file.fileno())
        digests = digests_of(file, CHUNK_BYTES)
    return _meta(item, status, digests=digests)


def describe_program(item: Item) -> FileMeta:
    """A program or library: its size and the digest of its head, where its build id is."""
    with os.fdopen(open_regular(item.link, item.identity), "rb") as file:
        head = sha256(file.read(HEAD_BYTES)).digest()
        status = os.fstat(file.fileno())
    return _meta(item, status, digests=(head,), mapped=True)


def describe_directory(item: Item) -> FileMeta:
    """A directory that the job is in or has open."""
    return _meta(item, status_of(item.link, item.identity))


def describe_parents(paths: Iterable[str]) -> list[FileMeta]:
    """The directories above these paths, outermost first, so that they can be made."""
    parents: dict[str, FileMeta] = {}
    for path in paths:
        parent = path
        above = []
        while (parent := parent.rpartition("/")[0]) and parent not in parents:
            above.append(parent)
        for directory in reversed(above):
            parents[directory] = describe_directory(Item(path=directory, link=directory))
    return list(parents.values())


def description_of(item: Item, known: Mapping[str, FileMeta]) -> FileMeta | None:
    """What is known of a file, where it has the size and the time of change of then; else None.

    Raises:
        OSError: It cannot be looked at.
    """
    status, meta = status_of(item.link, item.identity), known.get(item.path)
    if meta is None or (status.st_size, status.st_mtime_ns) != (meta.size_bytes, meta.mtime_ns):
        return None
    return meta


def settle_files(items: Iterable[Item]) -> None:
    """What a stopped job wrote to these through its memory is where other nodes see it.

    Raises:
        OSError: It cannot be written there.
    """
    for item in items:
        if not item.writable:
            continue
        try:
            descriptor = open_regular(item.link, item.identity)
        except FileNotFoundError:
            continue  # a mapping of a file that is deleted: the images have what is in it
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _meta(
    item: Item, status: os.stat_result, *, digests: tuple[bytes, ...] = (), mapped: bool = False
) -> FileMeta:
    return FileMeta(
        path=item.path,
        kind=_KINDS.get(stat.S_IFMT(status.st_mode), "file"),
        mode=stat.S_IMODE(status.st_mode),
        user=user_name(status.st_uid),
        group=group_name(status.st_gid),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        digests=digests,
        writable=item.writable,
        mapped=mapped,
        inode=status.st_ino,
        ctime_ns=status.st_ctime_ns,
    )


def user_name(uid: int) -> str:
    """Of that number; the number where it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Of that number; the number where it has none here."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
