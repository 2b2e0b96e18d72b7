"""A mount whose kernel and server are the test: requests go in as bytes of /dev/fuse."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nodeagent.filesystem.fuse import decoding, replies
from nodeagent.filesystem.fuse.abi import Opcode
from nodeagent.filesystem.mount.accounts import LocalAccounts
from nodeagent.filesystem.mount.handles import File
from nodeagent.filesystem.mount.keptwrites import KeptWrites
from nodeagent.filesystem.mount.memory import Memory
from nodeagent.filesystem.mount.mount import Mount
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
    """Watches nothing, and calls back when it is told to."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def watch(self, *_descriptor: object, **_callbacks: object) -> None:
        pass

    def call_after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        self.callbacks.append(callback)
        return Timer(delay_s, 0, callback)


class Server(FileLink):
    """A link whose server is the test."""

    def __init__(self) -> None:
        self.stands, self.is_mute = True, False
        self.asked: list[tuple[FileRequest, Callable[[int, FileReply | None, memoryview], None]]]
        self.asked = []
        self.numbers: list[int] = []
        """By which each knows its request, in the order in which it was asked; 0 for any."""

    # Any: what a link takes beside that is not looked at.
    def ask(
        self, user: str, group: str, body: FileRequest, then: Any, number: int = 0, **_rest: Any
    ) -> int:
        self.asked.append((body, then))
        self.numbers.append(number)
        return len(self.asked)

    def give_up(self, _number: int) -> None:
        return None

    def close(self) -> None:
        pass


def entry(size: int) -> Entry:
    values = (KEY[1], size, 0, 0, 0, 0, 0, 0, 0, stat.S_IFREG | 0o644, 1, 0, 0, 0, 4096, 0)
    return Entry(ATTRIBUTES.pack(*values), KEY[0])


class Mounted:
    """A mount with one open file."""

    def __init__(self, folder: Path, options: MountOptions | None = None) -> None:
        self.server = Server()
        self._answers, kernel = os.pipe2(os.O_NONBLOCK)
        memory = Memory(folder / "journal")
        node = memory.nodes.remember(memory.nodes.root, b"f", KEY)
        self.node = node
        self.file = File(FILE, HANDLE, node, os.O_RDWR, "root", "")
        self.file.is_written = True
        memory.handles.files[FILE] = self.file
        self.loop = Idle()
        self.mount = Mount(
            self.loop, kernel, options or MountOptions(), self.server, HANDLERS, bytearray(),
            memory, LocalAccounts(), 1, KeptWrites(folder / "writes"),
        )  # fmt: skip
        self._last = 0
        self.resent = 0
        """A bit that the kernel sets in numbers of requests that it sends again."""
        self.tid = 1
        """Of the thread that asks."""

    def request(self, opcode: Opcode, payload: bytes, node: int | None = None) -> int:
        self._last += 1
        number = self.node.number if node is None else node
        size = decoding.HEADER.size + len(payload)
        unique = self._last | self.resent
        head = decoding.HEADER.pack(size, opcode, unique, number, 0, 0, self.tid, 0, 0)
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
        return {unique: error for unique, (error, _) in self.replies().items()}

    def replies(self) -> dict[int, tuple[int, bytes]]:
        """Likewise, with what it was told beside."""
        told = {}
        try:
            data = os.read(self._answers, 1 << 16)
        except BlockingIOError:
            data = b""
        while data:
            size, error, unique = replies.HEADER.unpack_from(data)
            told[unique] = -error, data[replies.HEADER.size : size]
            data = data[size:]
        return told

    def close(self) -> None:
        self.mount.close()
        os.close(self._answers)
