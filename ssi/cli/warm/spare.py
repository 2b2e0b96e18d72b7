"""A child that was forked ahead of its command, and rehearses until that comes."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import msgspec

from ssi.cli.warm import request as wire
from ssi.cli.warm.standing import Standing

READY: Final = b"R"

MAX_MESSAGE_BYTES: Final = 64 * 1024
"""What passes at once, whatever the socket's buffer is set to. A command with more words and
variables than that gets a fork of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The stub that a command is carried out for.

    Attributes:
        pid: The process that the user started.
        standing: As it was before it waited for us: what it does at signals now is its own affair.
    """

    pid: int
    standing: Standing


Become = Callable[[wire.Request, Sequence[int], Caller], NoReturn]
"""Turns the child into a command: that, its descriptors, and for whom."""

Rehearse = Callable[[Callable[[], bool]], None]
"""Does what can be done ahead of any command, and leaves off soon once its argument says so."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[Caller, bytes]).decode


class Spare:
    """The end of it that the warm process holds. The child ends when that is closed."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self._channel = channel
        self._channel.setblocking(False)

    def __repr__(self) -> str:
        return f"Spare(pid={self.pid})"

    @classmethod
    def fork(cls, prepare: Callable[[], None], rehearse: Rehearse, become: Become) -> Spare:
        """Forks one. It prepares and rehearses by itself, and then waits for its command."""
        ours, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            _await_command(its, prepare, rehearse, become)
        its.close()
        return cls(pid, ours)

    def give(self, body: bytes, descriptors: Sequence[int], caller: Caller) -> bool:
        """Hands a command over; False where the child is not ready, or is not there any more.

        Args:
            body: The request, as the stub sent it.
            descriptors: What the command needs of them.
            caller: For whom it is.
        """
        message = _encode((caller, body))
        if len(message) > MAX_MESSAGE_BYTES:
            return False
        try:
            if self._channel.recv(1) != READY:
                return False
            socket.send_fds(self._channel, [message], list(descriptors))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Lets go of the child: without a command it ends, with one it goes on."""
        self._channel.close()


def _await_command(
    channel: socket.socket, prepare: Callable[[], None], rehearse: Rehearse, become: Become
) -> NoReturn:
    """What the child does. It holds nothing of its parent's but the channel.

    Commands of a script follow each other within milliseconds, so one may come while it rehearses.
    """
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        own = os.dup2(channel.detach(), 3)
        os.closerange(own + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        prepare()
        with socket.socket(fileno=own) as waiting:
            waiting.send(READY)
            try:
                rehearse(lambda: _has_come(waiting))
            except Exception:  # the rim of what nobody asked for: the command is not to suffer
                sys.excepthook(*sys.exc_info())
            message, descriptors, _, _ = socket.recv_fds(
                waiting, MAX_MESSAGE_BYTES, wire.DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
            if message:
                caller, body = _decode(message)
                become(wire.parse_body(body), descriptors, caller)
    finally:
        os._exit(0)  # nothing of the parent's may be cleaned up by the child


def _has_come(waiting: socket.socket) -> bool:
    """Whether there is something to receive, or will never be."""
    come = select.poll()
    come.register(waiting, select.POLLIN)
    return bool(come.poll(0))
