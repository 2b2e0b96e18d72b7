"""The terminal of an interactive job. The shim is the session leader that controls it.

Source: pty(7), ioctl_tty(2), credentials(7).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import termios
from typing import Final

from nodeagent.shim.messages import Account
from nodeagent.shim.state import SavedTerminal
from nodeagent.shim.typeahead import SETTINGS_BYTES, Settings, keys_to_give
from ssi.model import job

_CHUNK_BYTES: Final = 65536
_COUNT: Final = struct.Struct("i")
_SIZE: Final = struct.Struct("HHHH")


class ControllingTerminal:
    """A pty of which this process, a session leader, is the controlling process.

    Attributes:
        master: The end of the shim; the streams own it.
        slave: The end of the job; held open until the job ends, because a terminal that nobody
            holds open for a moment hangs up.
    """

    def __init__(self, size: job.Terminal, account: Account) -> None:
        """Makes it, of that size and owned by the account.

        Raises:
            OSError: No more terminals.
        """
        self.master, self.slave = os.openpty()
        if account.uid != os.geteuid():
            os.chown(self.slave, account.uid, -1)
        self.resize(size)
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        os.set_blocking(self.master, False)

    def resize(self, size: job.Terminal) -> None:
        """Its size is that, and its foreground processes are told by SIGWINCH."""
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, _SIZE.pack(size.rows, size.columns, 0, 0))

    def foreground_group(self) -> int:
        """The process group that the keyboard talks to; 0 for none."""
        try:
            return os.tcgetpgrp(self.slave)
        except OSError:
            return 0

    def modes(self) -> tuple[bool, bool]:
        """Whether it gives each key at once, and whether ``^C`` and the like are signals there."""
        flags = termios.tcgetattr(self.slave)[3]
        return not flags & termios.ICANON, bool(flags & termios.ISIG)

    def release(self) -> None:
        """The job has ended: once no other process holds it, its output ends."""
        os.close(self.slave)

    def unread(self) -> bytes:
        """Takes out the keys that the job, which has ended, has not read; no mark of a ``^D``."""
        with contextlib.suppress(OSError):
            saved, behind = self.take("")
            return (saved.taken + behind).replace(b"\0", b"")
        return b""

    def take(self, term: str) -> tuple[SavedTerminal, bytes]:
        """Takes out what a stopped job has not read, and keeps what CRIU does not.

        Its output must have been drained, and again afterwards: echoes may follow.

        Args:
            term: The word for the kind of terminal.

        Returns:
            What :meth:`give` takes, and keys behind it that the line discipline has not seen.

        Raises:
            OSError: It cannot be read.
        """
        # Another open file: not to wait is for us alone, the job shares the flags of the first.
        flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        reader = os.open(f"/proc/self/fd/{self.slave}", flags)
        rows, columns, _, _ = _SIZE.unpack(fcntl.ioctl(reader, termios.TIOCGWINSZ, bytes(8)))
        foreground, held = self.foreground_group(), _holds_output(reader)
        settings = _settings_of(reader)
        try:
            # Only the foreground may read. The job is stopped, so it does not notice.
            os.tcsetpgrp(reader, os.getpgrp())
            _set(reader, settings.for_taking())
            taken = _read_exactly(reader, _waiting_bytes(reader))
            behind = _read_rest(reader)
        finally:
            _set(reader, settings)
            self._bring_forward(foreground)
            os.close(reader)
        size = job.Terminal(rows=rows, columns=columns, term=term)
        return SavedTerminal(size=size, foreground=foreground, taken=taken, held=held), behind

    def give(self, saved: SavedTerminal) -> None:
        """Is as the terminal was from which that was taken; the job does not run yet.

        Raises:
            OSError: Not permitted to put keys into it.
        """
        self._bring_forward(saved.foreground)
        self.resize(saved.size)
        settings = _settings_of(self.slave)
        for_giving, keys = keys_to_give(settings, saved.taken)
        if keys:
            _set(self.slave, for_giving)
            # Not written to the master: that would be treated some time later, settings or not.
            for key in keys:
                fcntl.ioctl(self.slave, termios.TIOCSTI, bytes((key,)))
            _set(self.slave, settings)
        if saved.held and settings.stop_key:
            fcntl.ioctl(self.slave, termios.TIOCSTI, bytes((settings.stop_key,)))

    def _bring_forward(self, group: int) -> None:
        # A group whose processes have all ended leaves the choice to the shell that waits for it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if group:
                os.tcsetpgrp(self.slave, group)


def _settings_of(terminal: int) -> Settings:
    return Settings.from_bytes(fcntl.ioctl(terminal, termios.TCGETS, bytes(SETTINGS_BYTES)))


def _set(terminal: int, settings: Settings) -> None:
    fcntl.ioctl(terminal, termios.TCSETS, settings.to_bytes())


def _holds_output(terminal: int) -> bool:
    """Whether ``^S`` was pressed; drained, only that leaves no room."""
    poll = select.poll()
    poll.register(terminal, select.POLLOUT)
    return not any(events & select.POLLOUT for _, events in poll.poll(0))


def _waiting_bytes(terminal: int) -> int:
    (count,) = _COUNT.unpack(fcntl.ioctl(terminal, termios.FIONREAD, bytes(_COUNT.size)))
    return int(count)


def _read_exactly(terminal: int, count: int) -> bytes:
    taken = bytearray()
    while len(taken) < count:
        taken += os.read(terminal, count - len(taken))
    return bytes(taken)


def _read_rest(terminal: int) -> bytes:
    rest = bytearray()
    with contextlib.suppress(BlockingIOError):
        while chunk := os.read(terminal, _CHUNK_BYTES):
            rest += chunk
    return bytes(rest)
