"""One thread that waits for descriptors, timers, signals and the end of children.

The keeper and each shim run on it: it is small, it forks safely, and its owner is always the
process that forked, so every child is reaped here and nowhere else.
"""

from __future__ import annotations

import heapq
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Callback: TypeAlias = Callable[[], None]

MOST_EVENTS: Final = 64
_FEW_TIMERS: Final = 64
_UNWATCHED: Final = (None, None)
_log: Final = logging.getLogger(__name__)


@dataclass(slots=True, order=True)
class Timer:
    """Something that will be called once, unless :meth:`cancel` comes first."""

    due_s: float
    _turn: int
    _callback: Callback | None = field(compare=False)

    @property
    def pending(self) -> bool:
        """Whether it is still to be called."""
        return self._callback is not None

    def cancel(self) -> None:
        """It will not be called; harmless afterwards."""
        self._callback = None

    def fire(self) -> None:
        """Calls it, the first time."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


def exit_status_of(wait_status: int) -> int:
    """What wait(2) tells of an ended process, as a shell has it: 128 + N for signal N."""
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


class Loop:
    """See the module. All callbacks run one at a time and must not block."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[Callback | None, Callback | None]] = {}
        self._timers: list[Timer] = []
        self._turn = 0
        self._prune_at = _FEW_TIMERS
        self._exits: dict[int, Callable[[int], None]] = {}
        self._signals: dict[int, Callback] = {}
        self._after: list[Callback] = []
        self._running = False
        self._childless: list[Callback] = []
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        self.watch(self._wake.fileno(), readable=self._on_wake)

    def watch(
        self, descriptor: int, readable: Callback | None = None, writable: Callback | None = None
    ) -> None:
        """From now on exactly these are called when ``descriptor`` is ready; none: forgets it."""
        before = self._watched.get(descriptor)
        if before == (readable, writable):
            return
        events = (select.EPOLLIN if readable else 0) | (select.EPOLLOUT if writable else 0)
        if not events:
            if before is not None:
                del self._watched[descriptor]
                with suppress(OSError):  # it may be closed
                    self._epoll.unregister(descriptor)
            return
        if before is None:
            self._epoll.register(descriptor, events)
        else:
            self._epoll.modify(descriptor, events)
        self._watched[descriptor] = (readable, writable)

    def call_after(self, delay_s: float, callback: Callback) -> Timer:
        """Calls ``callback`` once, ``delay_s`` from now."""
        self._turn += 1
        timer = Timer(time.monotonic() + delay_s, self._turn, callback)
        if len(self._timers) >= self._prune_at:
            # Most timers are cancelled long before they are due, and would pile up until then.
            self._timers = [waiting for waiting in self._timers if waiting.pending]
            heapq.heapify(self._timers)
            self._prune_at = max(_FEW_TIMERS, 2 * len(self._timers))
        heapq.heappush(self._timers, timer)
        return timer

    def on_exit(self, pid: int, callback: Callable[[int], None]) -> None:
        """Calls ``callback`` with the exit status (128 + N for signal N) of a child."""
        self.on_wait_status(pid, lambda status: callback(exit_status_of(status)))

    def on_wait_status(self, pid: int, callback: Callable[[int], None]) -> None:
        """Calls ``callback`` with how a child ended as wait(2) tells it."""
        self._exits[pid] = callback

    def when_childless(self, callback: Callback) -> None:
        """Calls ``callback`` once this process has no child left, adopted orphans included."""
        self._childless.append(callback)
        self.call_after(0, self.reap)

    def on_signal(self, number: int, callback: Callback) -> None:
        """Calls ``callback`` when that signal came; some that come together count as one."""
        self._signals[number] = callback
        signal.signal(number, _nothing)

    def after_events(self, callback: Callback) -> None:
        """Calls ``callback`` after each batch of events."""
        self._after.append(callback)

    def run(self) -> None:
        """Serves until :meth:`stop`."""
        self._running = True
        while self._running:
            for descriptor, ready in self._epoll.poll(self._time_left(), MOST_EVENTS):
                # An error, or an end, is for both.
                if ready & ~select.EPOLLOUT:
                    readable, _ = self._watched.get(descriptor, _UNWATCHED)
                    if readable is not None:
                        self._guard(readable)
                if ready & ~select.EPOLLIN:
                    # The first callback may have closed it: what is watched now counts.
                    _, writable = self._watched.get(descriptor, _UNWATCHED)
                    if writable is not None:
                        self._guard(writable)
            self._fire_timers()
            for callback in self._after:
                self._guard(callback)

    def stop(self) -> None:
        """Lets :meth:`run` return after this batch."""
        self._running = False

    def close(self) -> None:
        """Lets go of its own descriptors; for who lives longer than its loop."""
        signal.set_wakeup_fd(-1)
        self._epoll.close()
        self._wake.close()
        self._waker.close()

    def reap(self) -> None:
        """Reaps every child that has ended, adopted orphans included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                waiting, self._childless = self._childless, []
                for childless in waiting:
                    childless()
                return
            if pid == 0:
                return
            callback = self._exits.pop(pid, None)
            if callback is not None:
                callback(status)

    def _on_wake(self) -> None:
        try:
            numbers = set(self._wake.recv(4096))
        except BlockingIOError:
            return
        for number in numbers:
            callback = self._signals.get(number)
            if callback is not None:
                callback()
        self.reap()

    def _time_left(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, self._timers[0].due_s - time.monotonic())

    def _fire_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0].due_s <= now:
            self._guard(heapq.heappop(self._timers).fire)

    def _guard(self, callback: Callback) -> None:
        """The rim: one broken callback must not end a job, whose pid 1 this process may be."""
        try:
            callback()
        except Exception:
            _log.exception("event=callback-broke")


def _nothing(_number: int, _frame: object) -> None:
    """The signal is noticed through the wake-up descriptor."""
