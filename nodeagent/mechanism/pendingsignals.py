"""Signals that a thread was sent and has not taken yet.

Source: proc_pid_status(5) for the masks, signal(7) for what is done where nobody handles one.
"""

from __future__ import annotations

import re
import signal
from typing import Final

from nodeagent.mechanism.procfs import GONE, STATUS_LIMIT_BYTES, read_file

_MASK: Final = re.compile(rb"^(SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt):\t([0-9a-f]+)$", re.MULTILINE)


def _mask(*signals: signal.Signals) -> int:
    return sum(1 << each - 1 for each in signals)


_KILL: Final = _mask(signal.SIGKILL)
_KILLS_NOBODY: Final = _mask(
    signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT, signal.SIGSTOP, signal.SIGTSTP,
    signal.SIGTTIN, signal.SIGTTOU,
)  # fmt: skip


def any_waits(pid: int) -> bool:
    """Whether any signal waits for a process or its first thread; False after its end."""
    try:
        text = read_file(f"/proc/{pid}/status", STATUS_LIMIT_BYTES)
    except GONE:
        return False
    waiting = (value for name, value in _MASK.findall(text) if name in {b"SigPnd", b"ShdPnd"})
    return any(int(value, 16) for value in waiting)


def is_killed(tid: int) -> bool:
    """Whether a thread ends once it leaves the system call in which it is; True after its end.

    What ends a process and leaves no core file the kernel hands on to each of its threads as
    SIGKILL.
    """
    try:
        text = read_file(f"/proc/{tid}/status", STATUS_LIMIT_BYTES)
    except GONE:
        return True
    masks = {name: int(value, 16) for name, value in _MASK.findall(text)}
    pending = masks.get(b"SigPnd", 0) | masks.get(b"ShdPnd", 0)
    spared = masks.get(b"SigBlk", 0) | masks.get(b"SigIgn", 0) | masks.get(b"SigCgt", 0)
    return bool(pending & (_KILL | ~(spared | _KILLS_NOBODY)))
