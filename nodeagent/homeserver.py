"""The file server of a machine that is no node, as its agent holds it: started, told, ended."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.filesystem.server.orders import Serve
from nodeagent.mechanism.daemon import daemon_command

_encoder: Final = msgspec.msgpack.Encoder()
_log: Final = logging.getLogger(__name__)


class HomeServer:
    """See the module. It ends with the agent, whose end of the socket the kernel closes.

    Args:
        key: File of the secret key.
        roster: File of the roster.
        log: To write to.
        own: What is ssi's own on this machine, and never served.
    """

    def __init__(self, key: Path, roster: Path, log: Path, own: Iterable[Path]) -> None:
        self._words = ["--key", str(key), "--roster", str(roster), "--log", str(log)]
        for path in own:
            self._words += ["--own", str(path)]
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None
        self._told: Serve | None = None

    @property
    def runs(self) -> bool:
        """Whether there is such a process now."""
        return self._process is not None and self._process.poll() is None

    def tell(self, order: Serve) -> None:
        """It serves exactly that, and runs; told again it is harmless."""
        if not self.runs:
            self._start()
        elif order == self._told:
            return
        assert self._orders is not None
        try:
            self._orders.send(_encoder.encode(order))
        except BlockingIOError:
            return  # it is busy; it is told again
        except OSError as exc:
            _log.warning("event=home-server-lost reason=%s", exc)
            return
        self._told = order

    def end(self) -> None:
        """It does not run."""
        if self._orders is not None:
            self._orders.close()
            self._orders = None
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
        self._told = None

    def _start(self) -> None:
        self.end()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                daemon_command("nodeagent.filesystem.server", self._words),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=os.sep,
            )
        self._orders = ours
        _log.info("event=home-server-started pid=%d", self._process.pid)
