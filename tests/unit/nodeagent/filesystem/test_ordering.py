"""What waits for writes that the kernel was told are done, by requests as the kernel makes them."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nodeagent.filesystem.fuse import decoding, replies
from nodeagent.filesystem.fuse.abi import Opcode
from nodeagent.filesystem.mount.accounts import LocalAccounts
from nodeagent.filesystem.mount.handles import File
from nodeagent.filesystem.mount.keptwrites import KeptWrites
from nodeagent.filesystem.mount.memory import Memory
from nodeagent.filesystem.mount.mount import Mount
from nodeagent.filesystem.mount.nodes import Listed
from nodeagent.filesystem.mount.options import MountOptions
from nodeagent.filesystem.mount.table import HANDLERS
from nodeagent.mechanism.loop import Loop, Timer
from ssi.protocol import filerequests
from ssi.protocol.filereplies import ATTRIBUTES, Count, Entry, FileReply
from ssi.protocol.filerequests import FileRequest
from ssi.transport.filelink import FileLink

FILE, HANDLE, ROOT = 1, 101, 1
KEY = (1, 7)
DATA = b"x" * 5000


class Idle(Loop):
    """Calls nothing back, and watches nothing."""

    def __init__(self) -> None:
        pass

    def watch(self, *_descriptor: object, **_callbacks: object) -> None:
        pass

    def call_after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return Timer(delay_s, 0, callback)


class Server(FileLink):
    """A link whose server is the test."""

    def __init__(self) -> None:
        self.stands, self.is_mute = True, False
        self.asked: list[tuple[FileRequest, Callable[[int, FileReply | None, memoryview], None]]]
        self.asked = []

    # Any: what a link takes beside that is not looked at.
    def ask(self, user: str, group: str, body: FileRequest, then: Any, **_rest: Any) -> int:
        self.asked.append((body, then))
        return len(self.asked)

    def give_up(self, _number: int) -> None:
        return None

    def close(self) -> None:
        pass


def entry(size: int) -> Entry:
    values = (KEY[1], size, 0, 0, 0, 0, 0, 0, 0, stat.S_IFREG | 0o644, 1, 0, 0, 0, 4096, 0)
    return Entry(ATTRIBUTES.pack(*values), KEY[0])


class Mounted:
    """A mount with one open file, of which a write is under way."""

    def __init__(self, folder: Path) -> None:
        self.server = Server()
        self._answers, kernel = os.pipe2(os.O_NONBLOCK)
        memory = Memory(folder / "journal")
        node = memory.nodes.remember(memory.nodes.root, b"f", KEY)
        self.node = node
        self.file = File(FILE, HANDLE, node, os.O_RDWR, "root", "root")
        self.file.is_written = True
        memory.handles.files[FILE] = self.file
        self.mount = Mount(
            Idle(), kernel, MountOptions(), self.server, HANDLERS, bytearray(), memory,
            LocalAccounts(), 1, KeptWrites(folder / "writes"),
        )  # fmt: skip
        self._last = 0
        self.write(0)
        assert self.answers() == {1: 0} and self.kinds == ["Write"]

    def request(self, opcode: Opcode, payload: bytes, node: int | None = None) -> int:
        self._last += 1
        number = self.node.number if node is None else node
        size = decoding.HEADER.size + len(payload)
        head = decoding.HEADER.pack(size, opcode, self._last, number, 0, 0, 1, 0, 0)
        self.mount.dispatch(memoryview(head + payload))
        return self._last

    def write(self, offset: int, data: bytes = DATA) -> int:
        head = struct.pack("=QQIIQII", FILE, offset, len(data), 0, 0, os.O_RDWR, 0)
        return self.request(Opcode.WRITE, head + data)

    def answer(self, error: int = 0, reply: FileReply | None = None) -> None:
        """Answers the oldest request to the server; a write was done whole."""
        body, then = self.server.asked.pop(0)
        done = Count(len(DATA)) if isinstance(body, filerequests.Write) else reply
        then(error, None if error else done, memoryview(b""))

    @property
    def kinds(self) -> list[str]:
        """What the server was asked and has not answered."""
        return [type(body).__name__ for body, _ in self.server.asked]

    def answers(self) -> dict[int, int]:
        """What the kernel was told since: 0 or an errno, by request."""
        told = {}
        try:
            data = os.read(self._answers, 1 << 16)
        except BlockingIOError:
            data = b""
        while data:
            size, error, unique = replies.HEADER.unpack_from(data)
            told[unique], data = -error, data[size:]
        return told

    def close(self) -> None:
        self.mount.close()
        os.close(self._answers)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    made = Mounted(tmp_path)
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
    file = File(FILE + 1, HANDLE + 1, other, os.O_RDWR, "root", "root")
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
    assert mounted.node.told[8:16] == (5000).to_bytes(8, "little")


def test_listing_is_not_believed_of_a_written_file(mounted: Mounted) -> None:
    mounted.mount.nodes.root.listed = Listed(1e12, {b"f": entry(0)})
    mounted.request(Opcode.LOOKUP, b"f\0", ROOT)
    assert mounted.kinds == ["Write", "Lookup"]


def test_interrupted_request_is_not_asked_afterwards(mounted: Mounted) -> None:
    payload, _ = OF_INODE[Opcode.READ]
    number = mounted.request(Opcode.READ, payload)
    mounted.mount._give_up(number)
    assert mounted.answers() == {number: errno.EINTR}
    mounted.answer()
    assert mounted.kinds == [] and mounted.answers() == {}
