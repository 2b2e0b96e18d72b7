"""The terminal of a user of this machine, with ``ssi run`` on it."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.hosts.system import PATIENCE_S, Ssi


@dataclass
class Screen:
    """The terminal of a user whose ``ssi run`` holds a job."""

    descriptor: int
    client: subprocess.Popen[bytes]
    unseen: bytes = b""

    def type(self, keys: bytes) -> None:
        os.write(self.descriptor, keys)

    def see(self, what: bytes, within_s: float = PATIENCE_S) -> bytes:
        """What is shown up to and with ``what``."""
        deadline = time.monotonic() + within_s
        while what not in self.unseen:
            left_s = deadline - time.monotonic()
            ready = select.select([self.descriptor], [], [], max(0, left_s))[0]
            assert ready, (what, self.unseen[-2000:])
            self.unseen += os.read(self.descriptor, 65536)
        end = self.unseen.index(what) + len(what)
        shown, self.unseen = self.unseen[:end], self.unseen[end:]
        return shown

    def answer(self, line: bytes) -> bytes:
        """What a shell answers to a line, in one line."""
        self.type(b"printf '<%%s>' \"$(%s)\"\r" % line)
        self.see(b"\r<")
        return self.see(b">")[:-1]

    def resize(self, rows: int, columns: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, size)


def screen_of(ssi: Ssi, node: str, *argv: str) -> AbstractContextManager[Screen]:
    """A user's terminal with an interactive job on a node."""
    return screen_with(ssi, "run", "-t", "-n", node, "--", *argv)


@contextmanager
def screen_with(ssi: Ssi, *words: str) -> Iterator[Screen]:
    """A user's terminal in which a command of ssi runs."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    # A session of its own with this terminal, as a login has.
    client = subprocess.Popen(
        ["setsid", "--ctty", *ssi.words(*words)],
        env={**ssi.environment, "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    try:
        yield Screen(master, client)
    finally:
        client.kill()
        client.wait()
        os.close(master)


def type_numbers(screen: Screen, count: int, after: bytes = b"") -> None:
    """Types numbers of five digits, one every few milliseconds."""
    for number in range(count):
        screen.type(b"%05d" % number + after)
        time.sleep(0.004)
