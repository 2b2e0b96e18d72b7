"""The terminal of an interactive job. The shim is the session leader that controls it.

Source: pty(7), ioctl_tty(2), credentials(7).
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios

from nodeagent.shim.messages import Account
from ssi.model import job


class ControllingTerminal:
    """A pty of which this process, a session leader, is the controlling process.

    Attributes:
        master: The end of the shim.
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
        packed = struct.pack("HHHH", size.rows, size.columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, packed)

    def foreground_group(self) -> int:
        """The process group that the keyboard talks to; 0 for none."""
        try:
            return os.tcgetpgrp(self.slave)
        except OSError:
            return 0

    def release(self) -> None:
        """The job has ended: once no other process holds it, its output ends."""
        os.close(self.slave)
