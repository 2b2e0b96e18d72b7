"""Somebody at a terminal with a session of the shell, who types a line when the last has ended."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.system import PATIENCE_S, Ssi

_END = re.compile(rb"\r?\n\x1e([^|]*)\|([^|]*)\|([^\x1f]*)\x1f")


@dataclass(frozen=True, slots=True)
class Ended:
    """What a line showed, and how it ended."""

    text: str
    status: str
    statuses: str
    node: str


class ShellPerson:
    """See the module."""

    def __init__(self, pid: int, terminal: int, lines: int) -> None:
        self._pid = pid
        self._terminal = terminal
        self._lines = lines
        self._seen = b""

    def begins(self, line: str) -> None:
        """Types a line, and does not wait."""
        data = line.encode("utf-8", "surrogateescape") + b"\0"
        while data:
            data = data[os.write(self._lines, data[:65536]) :]

    def presses(self, keys: bytes) -> None:
        """Keys for whatever has the terminal."""
        os.write(self._terminal, keys)

    def presses_at_a_prompt(self, keys: bytes) -> None:
        """Keys while the terminal gives them as they are, as for whoever edits a line."""
        before = termios.tcgetattr(self._terminal)
        flags_in, local = before[0] & ~termios.ICRNL, before[3] & ~(termios.ICANON | termios.ISIG)
        editing = [flags_in, *before[1:3], local, *before[4:]]
        termios.tcsetattr(self._terminal, termios.TCSANOW, editing)
        os.write(self._terminal, keys)
        self.sees(keys[-4:])  # echoed, so they are in its queue
        termios.tcsetattr(self._terminal, termios.TCSANOW, before)

    def presses_between_programs(self, keys: bytes) -> None:
        """Keys once the terminal makes signals of some, as where no program has it."""
        give_up_s = time.monotonic() + PATIENCE_S
        while not termios.tcgetattr(self._terminal)[3] & termios.ISIG:
            assert time.monotonic() < give_up_s, "a program keeps the terminal"
            time.sleep(0.01)
        os.write(self._terminal, keys)

    def presses_while_a_job_starts(self, keys: bytes) -> None:
        """Keys once ^Z is for a job that is being started: else the shell ignores that signal."""
        status = Path(f"/proc/{self._pid}/status")
        give_up_s = time.monotonic() + PATIENCE_S
        while not _caught(status.read_text(encoding="ascii")) >> (signal.SIGTSTP - 1) & 1:
            assert time.monotonic() < give_up_s, f"nothing is started; seen: {self._seen[-2000:]!r}"
            time.sleep(0.01)
        os.write(self._terminal, keys)

    def resizes(self, rows: int, columns: int) -> None:
        """The window has another size."""
        termios.tcsetwinsize(self._terminal, (rows, columns))

    def sees(self, what: bytes) -> None:
        """Waits until that is shown."""
        self._read_until(lambda: what in self._seen, f"to see {what!r}")
        self._seen = self._seen[self._seen.index(what) + len(what) :]

    def ends(self) -> Ended:
        """Waits for the end of the line."""
        self._read_until(lambda: _END.search(self._seen) is not None, "the end of a line")
        found = _END.search(self._seen)
        assert found is not None
        text = self._seen[: found.start()].decode("utf-8", "replace").replace("\r\n", "\n")
        self._seen = self._seen[found.end() :]
        return Ended(text.strip("\n"), *(each.decode() for each in found.groups()))

    def runs(self, line: str) -> Ended:
        """A line from its first key to its end."""
        self.begins(line)
        return self.ends()

    def _read_until(self, is_there: object, what: str) -> None:
        assert callable(is_there)
        give_up_s = time.monotonic() + PATIENCE_S
        while not is_there():
            assert time.monotonic() < give_up_s, f"{what}; seen: {self._seen[-2000:]!r}"
            if select.select([self._terminal], [], [], 0.5)[0]:
                self._seen += os.read(self._terminal, 1 << 20)


@contextmanager
def shell_person(ssi: Ssi, node: str) -> Iterator[ShellPerson]:
    """A session on a node; it ends with the block."""
    terminal, inner = os.openpty()
    theirs, lines = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hosts.shelldriver", node, str(theirs)],
        env={**ssi.environment, "TERM": "xterm"},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        pass_fds=[theirs],
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(inner)
    os.close(theirs)
    try:
        person = ShellPerson(process.pid, terminal, lines)
        person.ends()
        yield person
        os.close(lines)
        lines = -1
        process.wait(PATIENCE_S)
    finally:
        if lines >= 0:
            os.close(lines)
        process.kill()
        process.wait()
        os.close(terminal)


def _caught(status: str) -> int:
    """The set of signals that a process hears, as its /proc/PID/status has it."""
    return int(status.partition("SigCgt:")[2].split()[0], 16)


def _take_terminal() -> None:
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
