"""What is left over: keys that nobody read or heeded, the beginning of a mark that was shown.

It is sent to the node with :mod:`shell.session.host`, so it imports the standard library alone.
"""

from __future__ import annotations

import os
import termios

READ_BYTES = 256 * 1024


def unread_keys(slave: int) -> bytes:
    """Keys in the queue of a terminal that nothing has read: they were meant for the next prompt.

    Args:
        slave: The terminal, by a descriptor that does not block.
    """
    before = termios.tcgetattr(slave)
    raw = [*before[:3], before[3] & ~(termios.ICANON | termios.ECHO), *before[4:]]
    termios.tcsetattr(slave, termios.TCSANOW, raw)
    try:
        return os.read(slave, READ_BYTES)
    except BlockingIOError:
        return b""
    finally:
        termios.tcsetattr(slave, termios.TCSANOW, before)


def interrupts(master: int, group: int, keys: bytes) -> bool:
    """Whether one of these keys is a SIGINT for that process group, which has the terminal now."""
    modes = termios.tcgetattr(master)
    has_signals = bool(modes[3] & termios.ISIG)
    return has_signals and modes[6][termios.VINTR] in keys and os.tcgetpgrp(master) == group


def partial(data: bytearray, marks: tuple[bytes, ...]) -> int:
    """How many bytes at the end of the data may be the beginning of a mark."""
    longest = max(map(len, marks)) - 1
    for size in range(min(longest, len(data)), 0, -1):
        if any(mark.startswith(data[len(data) - size :]) for mark in marks):
            return size
    return 0
