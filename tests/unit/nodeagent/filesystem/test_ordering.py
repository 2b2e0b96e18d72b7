"""What waits for writes that the kernel was told are done, by requests as the kernel makes them."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.filesystem.fuse.abi import Opcode
from nodeagent.filesystem.mount.handles import File
from nodeagent.filesystem.mount.nodes import Listed
from ssi.protocol.filereplies import Count, Opened
from tests.unit.nodeagent.filesystem.mounted import DATA, FILE, HANDLE, KEY, ROOT, Mounted, entry


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    """Of whose file a write is under way."""
    made = Mounted(tmp_path)
    made.write(0)
    assert made.answers() == {1: 0} and made.kinds == ["Write"]
    yield made
    made.close()


LOCK = struct.pack("=QQQQIIII", FILE, 5, 0, 9, fcntl.F_UNLCK, 1, 0, 0)
NAME = b"g\0"
OF_INODE: dict[Opcode, tuple[bytes, str]] = {
    Opcode.GETATTR: (struct.pack("=IIQ", 0, 0, 0), "Lookup"),
    Opcode.READ: (struct.pack("=QQIIQII", FILE, 0, 9, 0, 0, 0, 0), "Read"),
    Opcode.FSYNC: (struct.pack("=QII", FILE, 0, 0), "Sync"),
    Opcode.LSEEK: (struct.pack("=QQII", FILE, 0, os.SEEK_DATA, 0), "Seek"),
    Opcode.OPEN: (struct.pack("=II", os.O_RDONLY, 0), "Open"),
    Opcode.GETLK: (LOCK, "TestLock"),
}
OF_ALL: dict[Opcode, tuple[bytes, str]] = {
    Opcode.SETATTR: (struct.pack("=IIQQQQQQIIIIIIII", 8, *[0] * 15), "SetAttributes"),
    Opcode.FALLOCATE: (struct.pack("=QQQII", FILE, 0, 9, 0, 0), "Allocate"),
    Opcode.SETLK: (LOCK, "Lock"),
    Opcode.CREATE: (struct.pack("=IIII", os.O_RDWR, 0o644, 0, 0) + NAME, "Create"),
    Opcode.MKNOD: (struct.pack("=IIII", stat.S_IFREG, 0, 0, 0) + NAME, "MakeNode"),
    Opcode.MKDIR: (struct.pack("=II", 0o755, 0) + NAME, "MakeDirectory"),
    Opcode.SYMLINK: (NAME + b"to\0", "MakeSymlink"),
    Opcode.UNLINK: (NAME, "Unlink"),
    Opcode.RMDIR: (NAME, "RemoveDirectory"),
    Opcode.RENAME: (struct.pack("=Q", ROOT) + NAME + b"h\0", "Rename"),
    Opcode.STATFS: (b"", "GetSpace"),
}


@pytest.mark.parametrize("opcode", [*OF_INODE, *OF_ALL])
def test_request_waits_for_writes_that_were_said_to_be_done(
    mounted: Mounted, opcode: Opcode
) -> None:
    payload, kind = {**OF_INODE, **OF_ALL}[opcode]
    is_named = payload.endswith(b"\0") and opcode in OF_ALL and NAME in payload
    mounted.request(opcode, payload, ROOT if is_named or opcode is Opcode.STATFS else None)
    assert mounted.kinds == ["Write"]
    mounted.answer()
    assert mounted.kinds == [kind]


@pytest.mark.parametrize("opcode", [*OF_INODE, *OF_ALL])
def test_what_changes_something_waits_for_writes_of_all_files(
    mounted: Mounted, opcode: Opcode
) -> None:
    payload, kind = {**OF_INODE, **OF_ALL}[opcode]
    nodes = mounted.mount.nodes
    other = nodes.remember(nodes.root, b"other", (1, 8))
    file = File(FILE + 1, HANDLE + 1, other, os.O_RDWR, "root", "")
    mounted.mount.handles.files[FILE] = file  # the write goes on with the one that it had
    mounted.request(opcode, payload, other.number if opcode in OF_INODE else ROOT)
    assert mounted.kinds == (["Write", kind] if opcode in OF_INODE else ["Write"])


def test_truncating_open_waits_for_writes_of_all_files(mounted: Mounted) -> None:
    nodes = mounted.mount.nodes
    other = nodes.remember(nodes.root, b"other", (1, 8))
    flags = struct.pack("=II", os.O_WRONLY | os.O_TRUNC, 0)
    mounted.request(Opcode.OPEN, flags, other.number)
    assert mounted.kinds == ["Write"]


def test_close_waits_and_tells_each_process_what_was_lost(mounted: Mounted) -> None:
    one, two = (
        mounted.request(Opcode.FLUSH, struct.pack("=QIIQ", FILE, 0, 0, owner)) for owner in (5, 6)
    )
    assert mounted.answers() == {}
    mounted.answer(errno.ENOSPC)
    assert mounted.answers() == {one: errno.ENOSPC, two: errno.ENOSPC}
    again = mounted.request(Opcode.FLUSH, struct.pack("=QIIQ", FILE, 0, 0, 5))
    assert mounted.answers() == {again: 0}
    synced = mounted.request(Opcode.FSYNC, struct.pack("=QII", FILE, 0, 0))
    assert mounted.answers() == {synced: errno.ENOSPC}
    mounted.request(Opcode.FSYNC, struct.pack("=QII", FILE, 0, 0))
    assert mounted.kinds == ["Sync"]


def test_close_that_tells_of_a_loss_gives_back_locks(mounted: Mounted) -> None:
    mounted.file.lock_owners.add(5)
    closed = mounted.request(Opcode.FLUSH, struct.pack("=QIIQ", FILE, 0, 0, 5))
    mounted.answer(errno.ENOSPC)
    assert mounted.kinds == ["Lock"] and mounted.answers() == {}
    mounted.answer(reply=Count(0))
    assert mounted.answers() == {closed: errno.ENOSPC}


def test_handle_is_given_back_after_its_writes(mounted: Mounted) -> None:
    released = mounted.request(Opcode.RELEASE, struct.pack("=QIIQ", FILE, 0, 0, 0))
    assert mounted.answers() == {} and FILE in mounted.mount.handles.files
    mounted.answer()
    assert mounted.answers() == {released: 0} and FILE not in mounted.mount.handles.files


def test_mapped_pages_are_written_after_what_was_written_before(mounted: Mounted) -> None:
    head = struct.pack("=QQIIQII", FILE, 0, len(DATA), 1, 0, 0, 0)
    number = mounted.request(Opcode.WRITE, head + DATA)
    assert mounted.kinds == ["Write"]
    mounted.answer()
    assert mounted.kinds == ["Write"] and mounted.answers() == {}
    mounted.answer()
    assert mounted.answers() == {number: 0}


def test_name_that_leads_to_a_written_file_is_looked_up_again(mounted: Mounted) -> None:
    number = mounted.request(Opcode.LOOKUP, NAME, ROOT)
    write = mounted.server.asked.pop(0)
    assert mounted.kinds == ["Lookup"]
    mounted.answer(reply=entry(0))
    assert mounted.kinds == [] and mounted.answers() == {}
    mounted.server.asked.append(write)
    mounted.answer()
    assert mounted.kinds == ["Lookup"]
    mounted.answer(reply=entry(5000))
    assert mounted.answers() == {number: 0}
    told = mounted.mount.nodes.of_key(KEY)
    assert told is not None and told.told[8:16] == (5000).to_bytes(8, "little")


def test_listing_is_not_believed_of_a_written_file(mounted: Mounted) -> None:
    mounted.mount.nodes.root.listed = Listed(1e12, {b"f": entry(0)})
    mounted.request(Opcode.LOOKUP, b"f\0", ROOT)
    assert mounted.kinds == ["Write", "Lookup"]


ONCE: dict[Opcode, bytes] = {
    **{opcode: OF_ALL[opcode][0] for opcode in (
        Opcode.CREATE, Opcode.MKNOD, Opcode.MKDIR, Opcode.SYMLINK, Opcode.UNLINK, Opcode.RMDIR,
        Opcode.RENAME,
    )},
    Opcode.LINK: struct.pack("=Q", 2) + NAME,
    Opcode.SETXATTR: struct.pack("=II", 1, 1) + b"user.a\0x",
    Opcode.REMOVEXATTR: b"user.a\0",
}  # fmt: skip


@pytest.mark.parametrize("resent", [0, 1 << 63])
@pytest.mark.parametrize("opcode", list(ONCE))
def test_what_must_not_be_done_twice_goes_by_the_number_of_the_kernel(
    mounted: Mounted, opcode: Opcode, resent: int
) -> None:
    mounted.answer()
    mounted.resent = resent
    told = mounted.request(opcode, ONCE[opcode], ROOT if opcode in OF_ALL else None)
    assert mounted.server.numbers[-1] == told


@pytest.mark.parametrize(("flags", "is_once"), [(os.O_APPEND, True), (0, False)])
def test_only_what_is_appended_must_not_be_written_twice(
    mounted: Mounted, flags: int, is_once: bool
) -> None:
    mounted.answer()
    mounted.file.flags |= flags
    number = mounted.write(0, b"short")
    assert mounted.server.numbers[-1] == (number if is_once else 0)


def test_file_that_is_opened_again_is_so_by_another_number(mounted: Mounted) -> None:
    mounted.answer()
    mounted.file.flags |= os.O_APPEND
    mounted.file.is_lost = True
    number = mounted.write(0, b"short")
    assert mounted.kinds == ["Open"] and mounted.server.numbers[-1] == 0
    mounted.answer(reply=Opened(9, entry(0)))
    assert mounted.kinds == ["Write"] and mounted.server.numbers[-1] == number


def test_interrupted_request_is_not_asked_afterwards(mounted: Mounted) -> None:
    payload, _ = OF_INODE[Opcode.READ]
    number = mounted.request(Opcode.READ, payload)
    mounted.mount.server.waiting.give_up(number)
    assert mounted.answers() == {number: errno.EINTR}
    mounted.answer()
    assert mounted.kinds == [] and mounted.answers() == {}
