"""The warm process: listens, forks a child for each command, and ends when it is of no more use."""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from ssi.cli.warm import NEVER_WARM
from ssi.cli.warm import request as wire
from ssi.cli.warm.code import LoadedCode
from ssi.cli.warm.command import Command, Stage
from ssi.cli.warm.request import BadRequest, Request
from ssi.cli.warm.spare import Caller, Spare
from ssi.cli.warm.standing import Standing, shortfall, standing_of

IDLE_S: Final = 600.0
"""Without a command for so long it ends."""

TICK_S: Final = 5.0
"""How often it looks whether its code and its socket are still there."""

BACKLOG: Final = 64


def main(path: str) -> None:
    """Serves commands at a socket until the code changes or nobody comes any more."""
    os.chdir("/")
    os.umask(0o077)
    if answers(path):
        return
    listener = listen(Path(path))
    code = preload()
    Server(listener, Path(path), code).run()


def answers(path: str) -> bool:
    """Whether a warm process listens there already."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def listen(path: Path) -> socket.socket:
    """A socket at the path, in directories of 0700; it replaces one that nobody listens to."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    arriving = path.with_name(f".{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(arriving))
    arriving.chmod(0o600)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    arriving.rename(path)
    return listener


def preload() -> LoadedCode:
    """Imports and builds every command that may be asked for; what is there is kept for good."""
    from ssi.cli.main import COMMANDS, tree
    from ssi.cli.warm import child  # noqa: F401 - for the fork
    from ssi.cli.warm.rehearsal import rehearse
    from ssi.client import nodegroups  # noqa: F401 - imported late by who names nodes

    for name in COMMANDS:
        if name not in NEVER_WARM:
            tree().get_command(None, name)
    rehearse()
    gc.collect()
    gc.freeze()  # the collector would write to every page that the children share
    return LoadedCode.of_this_process()


class Server:
    """The commands under way, and one loop that waits for all that concerns them."""

    def __init__(self, listener: socket.socket, path: Path, code: LoadedCode) -> None:
        self._listener = listener
        self._path = path
        self._own_mark = _mark(path)
        self._code = code
        self._standing = standing_of(os.getpid())
        self._commands: set[Command] = set()
        self._standings: dict[Command, Standing] = {}
        self._accepted: dict[Command, Request] = {}
        self._selector = selectors.DefaultSelector()
        self._used_at_s = time.monotonic()
        self._check_at_s = self._used_at_s
        self._retired = False
        self._spare: Spare | None = None
        self._children, children = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(children, warn_on_full_buffer=False)
        self._selector.register(listener, selectors.EVENT_READ, self._welcome)
        self._selector.register(self._children, selectors.EVENT_READ, self._reap)

    def run(self) -> None:
        """Serves until it is retired and the last command has ended."""
        while not self._retired or self._commands:
            for key, _ in self._selector.select(TICK_S):
                if self._selector.get_map().get(key.fd) is key:  # not closed by one before
                    key.data()
            self._look_around(time.monotonic())

    def _look_around(self, now_s: float) -> None:
        for command in self._commands:
            if command.kill_at_s <= now_s:
                command.kill()
        if now_s >= self._check_at_s:  # this looks at hundreds of files
            self._check_at_s = now_s + TICK_S
            self._check(now_s)
        # A fork while a command runs would take the processor from it.
        if not self._retired and not self._commands and self._spare is None:
            self._spare = fork_spare(self._standing)
            self._rehearse()

    def _rehearse(self) -> None:
        """Looks at what the next command has to be compared with.

        Since the fork each page of this process is copied when it is written to, and Python writes
        to whatever it looks at.
        """
        shortfall(self._standing, standing_of(os.getpid()))
        self._code.is_current()

    def _check(self, now_s: float) -> None:
        idle = not self._commands and now_s - self._used_at_s > IDLE_S
        current = self._owns_path() and self._code.is_current(thorough=True)
        if not self._retired and (idle or not current):
            self._retire()

    def _owns_path(self) -> bool:
        return _mark(self._path) == self._own_mark

    def _retire(self) -> None:
        """Whoever connects from now on finds nobody, and starts a successor."""
        self._retired = True
        self._drop_spare()
        if self._owns_path():
            self._path.unlink(missing_ok=True)
            with suppress(OSError):  # others may live beside it
                self._path.parent.rmdir()
        self._selector.unregister(self._listener)
        self._listener.close()

    def _welcome(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it went away again
            return
        command = Command(connection)
        self._commands.add(command)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._advance(command))
        try:  # the stub is still at its request, and has a processor of its own
            self._standings[command] = standing_of(command.peer.pid)
            fits = self._may_serve(command, self._standings[command])
        except (OSError, KeyError):  # it is gone, or not ours
            fits = False
        if fits:
            self._advance(command)  # its request has often come meanwhile
        else:
            self._forget(command)

    def _advance(self, command: Command) -> None:
        """Something came over the connection of a command, or its end."""
        if command.stage is Stage.ARRIVING:
            self._receive(command)
        elif command.stage is Stage.ACCEPTED and command.hears_go():
            self._start(command)
        elif command.stage is Stage.RUNNING:  # a stub that waits says nothing: it is gone
            self._selector.unregister(command.connection)
            command.hang_up(time.monotonic())
        else:
            self._forget(command)

    def _receive(self, command: Command) -> None:
        try:
            request = command.receive()
            if request is None:
                return
            self._accepted[command] = request
            command.accept()
        except (BadRequest, OSError):  # the stub does without us, or is gone
            self._forget(command)

    def _may_serve(self, command: Command, theirs: Standing) -> bool:
        """Whether a child can be all that the full program would be; if not, our time is over."""
        if command.peer.uid != os.geteuid():
            return False
        fits = not shortfall(self._standing, theirs) and self._code.is_current()
        if not fits and not self._retired:
            self._retire()
        return fits

    def _start(self, command: Command) -> None:
        request = self._accepted.pop(command)
        caller = Caller(pid=command.peer.pid, standing=self._standings.pop(command))
        self._used_at_s = time.monotonic()
        pid = self._given_to_spare(command, caller)
        if not pid:
            pid = fork_deaf()
            if pid == 0:
                become(self._standing, request, command.for_child, caller, is_prepared=False)
        command.started(pid)
        self._selector.register(command.signals, selectors.EVENT_READ, lambda: self._relay(command))

    def _given_to_spare(self, command: Command, caller: Caller) -> int:
        """The pid of the spare child that has the command now; 0 where there is none for it."""
        spare = self._spare
        if spare is None or not spare.give(command.body, command.for_child, caller):
            return 0
        self._spare = None
        spare.close()
        return spare.pid

    def _drop_spare(self) -> None:
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def _relay(self, command: Command) -> None:
        if not command.relay_signals():
            self._selector.unregister(command.signals)

    def _reap(self) -> None:
        """Tells each stub whose command was stopped or has ended."""
        os.read(self._children, 4096)
        if self._spare is not None and os.waitpid(self._spare.pid, os.WNOHANG)[0]:
            self._drop_spare()  # somebody killed it
        running = {command.pid: command for command in self._commands if command.pid}
        for pid, command in running.items():
            found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if not found:
                continue
            if os.WIFSTOPPED(status):
                command.tell(wire.stopped(os.WSTOPSIG(status)))
            else:
                command.tell(wire.ended(status))
                self._forget(command)

    def _forget(self, command: Command) -> None:
        self._commands.discard(command)
        self._standings.pop(command, None)
        self._accepted.pop(command, None)
        watched = self._selector.get_map()
        if command.connection in watched:
            self._selector.unregister(command.connection)
        if command.pid and command.signals in watched:
            self._selector.unregister(command.signals)
        command.close()
        self._used_at_s = time.monotonic()


def fork_deaf() -> int:
    """Forks; signals for the child wait until it listens, for Python forgets the first of them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = -1
    try:
        pid = os.fork()
    finally:
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def fork_spare(mine: Standing) -> Spare:
    """A child for the next command."""
    from ssi.cli.warm.child import prepare
    from ssi.cli.warm.rehearsal import rehearse

    return Spare.fork(
        lambda: prepare(mine.ignored),
        rehearse,
        lambda *command: become(mine, *command, is_prepared=True),
    )


def become(
    mine: Standing,
    request: Request,
    descriptors: Sequence[int],
    caller: Caller,
    *,
    is_prepared: bool,
) -> NoReturn:
    """Turns this child into the command of a stub."""
    from ssi.cli.warm import child

    theirs = caller.standing
    child.become(request, descriptors, mine, theirs, caller.pid, is_prepared=is_prepared)


def _mark(path: Path) -> tuple[int, int] | None:
    """What tells a file from its successor, which may have its inode; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
