"""A child that was forked ahead of its command, and has rehearsed it."""

from __future__ import annotations

import os
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from ssi.cli.warm import request as wire

Become = Callable[[wire.Request, Sequence[int], int], NoReturn]
"""Turns the child into a command: that, its descriptors, and the pid of its stub."""

READY: Final = b"R"
PID_BYTES: Final = 4

MAX_BODY_BYTES: Final = 64 * 1024
"""What passes in one message at once, whatever the socket's buffer is set to. A command of more
words and variables than that gets a fork of its own."""


class Spare:
    """The end of it that the warm process holds. The child ends when that is closed."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self._channel = channel
        self._channel.setblocking(False)

    def __repr__(self) -> str:
        return f"Spare(pid={self.pid})"

    @classmethod
    def fork(cls, rehearse: Callable[[], None], become: Become) -> Spare:
        """Forks one. It rehearses by itself, and then waits for its command."""
        ours, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            _await_command(its, rehearse, become)
        its.close()
        return cls(pid, ours)

    def give(self, body: bytes, descriptors: Sequence[int], stub_pid: int) -> bool:
        """Hands a command over; False where the child is not ready, or is not there any more.

        Args:
            body: The request, as the stub sent it.
            descriptors: Its stdin, stdout, stderr and working directory.
            stub_pid: The process that the user started.
        """
        if len(body) > MAX_BODY_BYTES:
            return False
        try:
            if self._channel.recv(1) != READY:
                return False
            message = stub_pid.to_bytes(PID_BYTES, "big") + body
            socket.send_fds(self._channel, [message], list(descriptors))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Lets go of the child: without a command it ends, with one it goes on."""
        self._channel.close()


def _await_command(
    channel: socket.socket, rehearse: Callable[[], None], become: Become
) -> NoReturn:
    """What the child does. It holds nothing of its parent's but the channel."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        own = os.dup2(channel.detach(), 3)
        os.closerange(own + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        rehearse()
        with socket.socket(fileno=own) as waiting:
            waiting.send(READY)
            message, descriptors, _, _ = socket.recv_fds(
                waiting, PID_BYTES + MAX_BODY_BYTES, wire.DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
            if message:
                stub_pid = int.from_bytes(message[:PID_BYTES], "big")
                become(wire.parse_body(message[PID_BYTES:]), descriptors, stub_pid)
    finally:
        os._exit(0)  # nothing of the parent's may be cleaned up by the child
