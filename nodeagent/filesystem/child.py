"""A process that the warden forks from its own warm image, and forks again when it ends."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Final

import msgspec

from nodeagent.filesystem.orders import Order
from nodeagent.keeper.backoff import Backoff
from nodeagent.mechanism import libc
from nodeagent.mechanism.loop import Loop

_encoder: Final = msgspec.msgpack.Encoder()
_log: Final = logging.getLogger(__name__)


class Child:
    """See the module.

    Args:
        loop: On which its end is noticed.
        name: For the log.
        body: What it does, given the socket on which it takes orders.
        started: Called whenever it was started, to give it its first orders.
    """

    def __init__(
        self,
        loop: Loop,
        name: str,
        body: Callable[[socket.socket], None],
        started: Callable[[], None] | None = None,
    ) -> None:
        self._loop = loop
        self._name = name
        self._body = body
        self._started = started
        self._pid = 0
        self._started_s = 0.0
        self._orders: socket.socket | None = None
        self._backoff = Backoff()
        self._is_given_up = self._is_renewed = False

    @property
    def is_running(self) -> bool:
        """Whether there is such a process now."""
        return self._pid != 0

    def start(self) -> None:
        """Forks it, unless it runs or is given up."""
        if self._pid or self._is_given_up:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            self._be(theirs)
        theirs.close()
        ours.setblocking(False)
        if self._orders is not None:
            self._orders.close()
        self._pid, self._orders, self._started_s = pid, ours, time.monotonic()
        self._loop.on_exit(pid, self._ended)
        _log.info("event=started process=%s pid=%d", self._name, pid)
        if self._started is not None:
            self._started()

    def order(self, order: Order, *descriptors: int) -> None:
        """Tells it something; where it does not run, ``started`` of the next one will."""
        if self._orders is None or not self._pid:
            return
        try:
            socket.send_fds(self._orders, [_encoder.encode(order)], list(descriptors))
        except (BrokenPipeError, ConnectionResetError, BlockingIOError) as exc:
            _log.warning("event=order-not-taken reason=%s", exc)

    def renew(self) -> None:
        """Puts another one in its place at once: what it was forked with does not hold any more."""
        if self._pid:
            self._is_renewed = True
            os.kill(self._pid, signal.SIGKILL)

    def end(self) -> None:
        """Gives it up: asks it to end, and starts none again."""
        self._is_given_up = True
        if self._pid:
            os.kill(self._pid, signal.SIGTERM)

    def kill(self) -> None:
        """Gives it up: it has ended and is reaped when this returns."""
        self._is_given_up = True
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    def _ended(self, status: int) -> None:
        lived_s = time.monotonic() - self._started_s
        _log.warning("event=ended process=%s status=%d lived_s=%.1f", self._name, status, lived_s)
        self._pid = 0
        # What waits for a worker waits for as long: a first end is mended at once.
        is_at_once, self._is_renewed = self._is_renewed or lived_s > 5.0, False
        delay_s = 0.0 if is_at_once else self._backoff.delay_s(lived_s)
        self._loop.call_after(delay_s, self.start)

    def _be(self, orders: socket.socket) -> None:
        """The life of the forked process; it shares no descriptor and no handler with us."""
        status = 1
        try:
            _leave_parent(orders.fileno())
            libc.end_with_parent()
            self._body(orders)
            status = 0
        except Exception:
            _log.exception("event=broke process=%s", self._name)
        finally:
            os._exit(status)


def _leave_parent(kept: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.closerange(3, kept)
    os.closerange(kept + 1, 65536)
