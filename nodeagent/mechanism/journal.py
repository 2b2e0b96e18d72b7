"""What is logged goes to systemd's journal too, where systemd started this process.

One datagram for each record keeps its priority; the log files of ssi have it all the same.
Source: systemd.io, "Native Journal Protocol"; systemd.exec(5), ``JOURNAL_STREAM``; syslog(3).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SOCKET: Final = Path("/run/systemd/journal/socket")

_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
_DEBUG: Final = 7
_LONGEST_BYTES: Final = 48 * 1024
"""A datagram that is too large for the socket would have to go through a file; ours are lines."""


class Journal(logging.Handler):
    """Writes records to the journal.

    A record that the journal does not take at once is left out of it, for a node must not wait for
    its log; it is in the file.

    Args:
        identifier: What ``journalctl -t`` asks for: ``ssi-agent``.
        path: Of the journal's socket.
    """

    def __init__(self, identifier: str, path: Path = SOCKET) -> None:
        super().__init__()
        self._identifier = identifier
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record."""
        text = self.format(record).encode(errors="replace")[:_LONGEST_BYTES]
        head = (
            f"PRIORITY={priority_of(record.levelno)}\nSYSLOG_IDENTIFIER={self._identifier}\n"
            f"LOGGER={record.name}\nMESSAGE\n"
        )
        try:
            self._socket.sendto(
                head.encode() + len(text).to_bytes(8, "little") + text + b"\n", str(self._path)
            )
        except OSError:  # it is full, or restarts
            return

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()
        super().close()


def priority_of(level: int) -> int:
    """The priority of syslog(3) for a level of Python's."""
    return next((priority for least, priority in _PRIORITIES if level >= least), _DEBUG)


def journal_handlers(
    identifier: str, environment: Mapping[str, str] = os.environ, path: Path = SOCKET
) -> list[logging.Handler]:
    """The journal, where systemd started this process; else none."""
    if not is_of_systemd(environment) or not path.exists():
        return []
    journal = Journal(identifier, path)
    journal.setFormatter(logging.Formatter("%(message)s"))
    return [journal]


def leave_journal() -> None:
    """Nothing more of this process goes there; for a fork, which has closed the socket."""
    root = logging.getLogger()
    root.handlers[:] = [each for each in root.handlers if not isinstance(each, Journal)]


def is_of_systemd(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a unit of systemd holds this process. Source: systemd.exec(5)."""
    return "JOURNAL_STREAM" in environment
