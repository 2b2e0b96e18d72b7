"""One command from the connection of its stub to its end."""

from __future__ import annotations

import os
import signal
import socket
import struct
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ssi.cli.warm import request as wire
from ssi.cli.warm.request import BadRequest, Request

CHUNK_BYTES: Final = 256 * 1024
CREDENTIALS: Final = struct.Struct("3i")  # struct ucred of unix(7)
KILL_AFTER_S: Final = 5.0
"""How long a command may go on whose stub was killed: time enough to pass the hang-up on."""


class Stage(Enum):
    """How far a command is."""

    ARRIVING = auto()
    ACCEPTED = auto()
    RUNNING = auto()
    OVER = auto()


@dataclass(frozen=True, slots=True)
class Peer:
    """The stub, as the kernel says."""

    pid: int
    uid: int


class Command:
    """What a warm process knows of one command."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.stage = Stage.ARRIVING
        self.pid = 0
        self.kill_at_s = float("inf")
        self.descriptors: list[int] = []
        self.body = b""
        self._buffer = bytearray()

    def __repr__(self) -> str:
        return f"Command({self.stage.name}, pid={self.pid})"

    @property
    def peer(self) -> Peer:
        """Who connected."""
        ucred = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        pid, uid, _ = CREDENTIALS.unpack(ucred)
        return Peer(pid, uid)

    @property
    def signals(self) -> int:
        """The descriptor in which signals for it arrive."""
        return self.descriptors[-1]

    def receive(self) -> Request | None:
        """The request when all of it is there, else None.

        Raises:
            BadRequest: It is none, or its end came too early.
            OSError: The connection broke.
        """
        try:
            data = self.connection.recv(CHUNK_BYTES)
        except BlockingIOError:
            return None
        if not data:
            raise BadRequest("it ends early")
        self._buffer += data
        length = wire.body_length(self._buffer)
        if length is None or len(self._buffer) < wire.LENGTH_BYTES + length:
            return None
        self.body = bytes(self._buffer[wire.LENGTH_BYTES :])
        self._buffer.clear()
        return wire.parse_body(self.body)

    def accept(self) -> None:
        """Tells the stub that the command can run, and nothing more.

        Raises:
            OSError: The stub is gone.
        """
        self.connection.send(wire.ACCEPTED)
        self.stage = Stage.ACCEPTED

    def hears_go(self) -> bool:
        """Whether the stub says go, with all its descriptors; at its end it says nothing."""
        try:
            word, self.descriptors, _, _ = socket.recv_fds(
                self.connection, 1, wire.DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
        except OSError:
            return False
        return word == wire.GO and len(self.descriptors) == wire.DESCRIPTORS

    def started(self, pid: int) -> None:
        """The child has its own descriptors; those here would keep pipes open after its end."""
        self.pid = pid
        self.stage = Stage.RUNNING
        for descriptor in self.descriptors[:-1]:
            os.close(descriptor)
        self.descriptors = self.descriptors[-1:]

    @property
    def for_child(self) -> list[int]:
        """The descriptors that the command needs: all but its signals, and its connection."""
        return [*self.descriptors[:-1], self.connection.fileno()]

    def relay_signals(self) -> bool:
        """Passes on what the stub received; False at the end of its pipe."""
        try:
            numbers = os.read(self.signals, 64)
        except BlockingIOError:
            return True
        for number in numbers:
            os.kill(self.pid, number)
        return bool(numbers)

    def hang_up(self, now_s: float) -> None:
        """The stub was killed: the command hears of it, and has a moment to end."""
        os.kill(self.pid, signal.SIGHUP)
        os.kill(self.pid, signal.SIGCONT)
        self.kill_at_s = now_s + KILL_AFTER_S

    def kill(self) -> None:
        """Its time is over."""
        os.kill(self.pid, signal.SIGKILL)
        self.kill_at_s = float("inf")

    def tell(self, message: bytes) -> None:
        """Tells the stub what became of the command."""
        try:
            self.connection.send(message)
        except OSError:  # it is gone, and so is whoever wanted to know
            return

    def close(self) -> None:
        """Lets go of everything that belongs to it."""
        self.stage = Stage.OVER
        self.connection.close()
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []
