"""How a shim comes into being: a fork from the keeper's warm image that waits for its directory.

The child leaves the host's namespaces, as pid 1 of new ones, makes them habitable, and waits to be
told where to listen. So it can be forked long before anybody wants it: then a job has its shim in
a millisecond, and otherwise in a few. Most of its memory is shared with the keeper. While it
waits, it ends with the keeper; once it was told its directory, it lives on by itself.

A shim of which a brief job has left nothing behind waits again, for an order on the connection of
the agent that let it go, and ends with that (docs/adr/0031-a-shim-is-used-again.md).
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from nodeagent.mechanism import libc, namespaces
from nodeagent.mechanism.journal import leave_journal
from nodeagent.mechanism.loop import Loop
from nodeagent.mechanism.namespaces import HostProc
from nodeagent.shim.frames import BadFrame, FrameSplitter, decode_request
from nodeagent.shim.keepermessages import SHIM_NAME, SPARE_NAME, ForkShim, ShimForked
from nodeagent.shim.leftovers import Leftovers
from nodeagent.shim.server import Server, listen
from nodeagent.shim.shim import SOCKET_NAME, Shim

LOG_NAME: Final = "shim.log"

_IGNORED: Final = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGPIPE,
)
"""What a terminal or a shutdown sends to everybody; a shim ends after its job."""

_PATH_BYTES: Final = 4096
"""What a pipe takes at once (PIPE_BUF). No socket has so long a path: of one that is cut off the
shim says so."""

MOST_JOBS: Final = 100
"""Of one shim: whatever it may gather without our knowing ends with it."""

IDLE_LIMIT_S: Final = 600.0
"""For an order, should an agent neither give one nor end."""

_ORDER_BYTES: Final = 64 * 1024

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnbornShim:
    """A shim that was forked and was not told yet where to listen.

    Attributes:
        pid: As the keeper sees it.
        has_namespaces: Whether it has namespaces of its own.
        orders: Descriptor in which it reads its directory; it ends where that ends first.
        report: Descriptor in which it tells ``ready`` once it listens, or ``failed WHY``.
    """

    pid: int
    has_namespaces: bool
    orders: int
    report: int

    @property
    def is_waiting(self) -> bool:
        """Whether it has neither failed nor ended."""
        told = select.poll()
        told.register(self.report, select.POLLIN)
        return not told.poll(0)

    def send(self, directory: str) -> None:
        """Tells it where to listen. The caller has to read and close :attr:`report`.

        Raises:
            OSError: It has ended.
        """
        try:
            os.write(self.orders, os.fsencode(directory)[:_PATH_BYTES])
        finally:
            os.close(self.orders)

    def drop(self) -> None:
        """Lets it end: nobody wants it any more. By now its pid may be another process's."""
        os.close(self.orders)
        os.close(self.report)


def fork_shim(*, namespaces_wanted: bool) -> UnbornShim:
    """Forks a shim that waits for :meth:`UnbornShim.send`.

    Raises:
        OSError: No more processes or descriptors, or not permitted.
    """
    opened: list[int] = []
    try:
        orders, sender = os.pipe()
        opened += orders, sender
        report, teller = os.pipe()
        opened += report, teller
        pid = namespaces.fork_as_first() if namespaces_wanted else os.fork()
    except OSError:
        for descriptor in opened:
            os.close(descriptor)
        raise
    if pid == 0:
        _live(orders, teller, namespaces_wanted=namespaces_wanted)
    os.close(orders)
    os.close(teller)
    return UnbornShim(pid, namespaces_wanted, sender, report)


def _live(orders: int, teller: int, *, namespaces_wanted: bool) -> NoReturn:
    """In the child: waits for its directory, and is the shim to its end."""
    try:
        try:
            loop, host = _settle(orders, teller, namespaces_wanted=namespaces_wanted)
            leftovers = Leftovers() if namespaces_wanted else None
            tenure = _Tenure(loop, _await_directory(orders), host, leftovers)
        except OSError as exc:
            os.write(teller, f"failed {exc}\n".encode())
            os._exit(1)
        os.write(teller, b"ready\n")
        os.close(teller)
        if leftovers is not None:
            leftovers.count_descriptors()
        for left in reversed(range(MOST_JOBS)):
            agent = tenure.serve()
            if agent is None:
                break
            tenure = _await_order(agent, host, leftovers if left > 1 else None)
        os._exit(0)
    except BaseException:
        # The rim of the process: whatever it is belongs into the log, and never into the frames
        # of the keeper that this process is a copy of.
        _log.critical("event=shim-broke", exc_info=True)
    finally:
        os._exit(1)


def _settle(orders: int, teller: int, *, namespaces_wanted: bool) -> tuple[Loop, HostProc | None]:
    """All that can be done before it is known for which job."""
    signal.set_wakeup_fd(-1)
    _close_all_but(orders, teller)
    leave_journal()  # its log is its job's
    os.setsid()
    os.chdir("/")
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    libc.set_process_name(SPARE_NAME)
    host: HostProc | None = None
    if namespaces_wanted:
        namespaces.leave_mounts()
        host = HostProc()
        namespaces.furnish()
    else:
        libc.become_subreaper()
    loop = Loop()
    gc.freeze()
    return loop, host


class _Tenure:
    """The time of one job: nothing of it but the process goes over into the next.

    Raises:
        OSError: It cannot listen there.
    """

    def __init__(
        self, loop: Loop, directory: Path, host: HostProc | None, leftovers: Leftovers | None
    ) -> None:
        libc.set_process_name(SHIM_NAME)
        _open_log(directory / LOG_NAME)
        self._loop = loop
        self._socket = directory / SOCKET_NAME
        self._shim = Shim(loop, directory, host, leftovers)
        self._server = Server(loop, listen(self._socket), self._shim.handle)
        self._shim.serve(self._server)

    def begin_with(self, agent: socket.socket, number: int, pid: int) -> None:
        """It is the agent's, whose order of that number is done."""
        self._server.take_over(agent, number).give(ShimForked(pid=pid))

    def serve(self) -> socket.socket | None:
        """To the end of the job; then who has another one."""
        self._loop.run()
        self._socket.unlink(missing_ok=True)
        if self._shim.heir is not None:
            self._server.close()
            self._loop.close()
        return self._shim.heir


def _await_order(
    agent: socket.socket, host: HostProc | None, leftovers: Leftovers | None
) -> _Tenure:
    """The next tenure; ends the process where there is none."""
    assert host is not None
    splitter = FrameSplitter()
    agent.settimeout(IDLE_LIMIT_S)
    frames: list[bytes] = []
    try:
        while not frames:
            data = agent.recv(_ORDER_BYTES)
            if not data:
                os._exit(0)  # the agent has ended, or wants another one
            frames = splitter.feed(data)
        request = decode_request(frames[0])
        if len(frames) > 1 or not isinstance(request.body, ForkShim):
            os._exit(1)
        tenure = _Tenure(Loop(), Path(request.body.directory), host, leftovers)
    except (OSError, BadFrame):  # who gave the order sees that we are gone
        os._exit(1)
    tenure.begin_with(agent, request.number, host.own_pid())
    return tenure


def _await_directory(orders: int) -> Path:
    path = os.read(orders, _PATH_BYTES)
    if not path:
        os._exit(0)  # the keeper has ended, or wants another one
    os.close(orders)
    return Path(os.fsdecode(path))


def _close_all_but(*kept: int) -> None:
    """Closes every descriptor of the keeper; its objects stay untouched behind our frames."""
    first = 3
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _open_log(path: Path) -> None:
    """Standard output and error are the log, input is empty; opened within the new mounts."""
    null = os.open("/dev/null", os.O_RDONLY)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
