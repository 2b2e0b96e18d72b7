"""The forked child that turns into the command, as if the user's shell had started it."""

from __future__ import annotations

import ctypes
import io
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn, TextIO

from ssi.cli.exits import INTERRUPTED
from ssi.cli.invocation import note_stub, note_teller, suffer
from ssi.cli.main import main
from ssi.cli.warm import request as wire
from ssi.cli.warm.request import Request
from ssi.cli.warm.standing import Standing, assume, numbers_in

FAILED: Final = 1
PR_SET_PDEATHSIG: Final = 1
PYTHON_IGNORES: Final = {signal.SIGPIPE, signal.SIGXFSZ}
"""What every Python ignores from its start on."""

HANGING_UP: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
"""What may still come for a command whose end was told."""

CONNECTION: Final = 3
"""The descriptor by which the stub hears of the end."""

_prctl = ctypes.CDLL(None, use_errno=True).prctl


def prepare(ignored: int) -> None:
    """Makes this fresh fork a process of its own, at which no signal arrives until it is a command.

    Args:
        ignored: Signals that the command is to ignore, as in a :class:`Standing`.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    _leave_parent()
    _set_signals(ignored)


def become(
    request: Request,
    descriptors: Sequence[int],
    mine: Standing,
    theirs: Standing,
    stub_pid: int,
    *,
    is_prepared: bool,
) -> NoReturn:
    """Runs the command in this fork, and never comes back.

    Args:
        request: The command.
        descriptors: Its stdin, stdout, stderr, working directory, and the connection of the stub.
        mine: The standing of the warm process.
        theirs: The standing that the command is to have.
        stub_pid: The process that the user started.
        is_prepared: Whether :func:`prepare` was called, with what the warm process ignores.
    """
    status = FAILED
    try:
        if not is_prepared:
            prepare(mine.ignored)
        _take_over(descriptors)
        assume(mine, theirs)
        if numbers_in(mine.ignored ^ theirs.ignored) - PYTHON_IGNORES:
            _set_signals(theirs.ignored)
        _set_environment(request)
        note_stub(stub_pid)
        note_teller(_tell_early)
        signal.pthread_sigmask(signal.SIG_SETMASK, numbers_in(theirs.blocked))
        status = main()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else FAILED
    except BaseException:  # the rim of a process, where the interpreter would do the same
        sys.excepthook(*sys.exc_info())
    finally:
        status = _flushed(status)
        if status < 0:
            suffer(-status)  # the warm process tells that
        _tell_end(status if status >= 0 else 128 - status)
        os._exit(status & 0xFF)  # nothing of the parent's may be cleaned up by the child


def _leave_parent() -> None:
    """A process group of its own, in a session without a terminal; ends when the parent does."""
    os.setpgid(0, 0)
    _prctl(PR_SET_PDEATHSIG, signal.SIGHUP)
    Path("/proc/self/comm").write_text("ssi", encoding="ascii")


def _take_over(descriptors: Sequence[int]) -> None:
    """The standard descriptors with fresh files on them, the working directory, the connection."""
    *streams, directory, connection = descriptors
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.fchdir(directory)
    os.dup2(connection, CONNECTION, inheritable=False)
    os.closerange(CONNECTION + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    sys.stdin = sys.__stdin__ = _text(0, "r", sys.stdin)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _text(1, "w", sys.stdout)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _text(2, "w", sys.stderr)  # type: ignore[misc]


def _text(descriptor: int, mode: str, was: TextIO) -> io.TextIOWrapper:
    """A file as the interpreter makes it at its start; the language is that of this process."""
    lines = descriptor == 2 or os.isatty(descriptor)
    raw = io.FileIO(descriptor, mode, closefd=False)
    buffered = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffered, encoding=was.encoding, errors=was.errors, line_buffering=lines
    )


def _set_signals(ignored: int) -> None:
    """What the warm process does at signals is not the command's affair."""
    signal.set_wakeup_fd(-1)
    numbers = numbers_in(ignored)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if number in numbers or number in PYTHON_IGNORES:
            signal.signal(number, signal.SIG_IGN)
        elif number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
        else:
            signal.signal(number, signal.SIG_DFL)


def _set_environment(request: Request) -> None:
    sys.argv = list(request.words)
    before = dict(os.environb)  # most of them are the same each time, and each takes a while to set
    for name in before.keys() - request.environment.keys():
        del os.environb[name]
    for name, value in request.environment.items():
        if before.get(name) != value:
            os.environb[name] = value
    time.tzset()


def _flushed(status: int) -> int:
    """The status, or that of the interpreter where the last of the output could not be written."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return status or 120
    return status


def _tell_early(status: int) -> None:
    """Tells the end of a command that has something to do yet which nobody has to wait for.

    The stub ends now. To the warm process that looks as if it had been killed: the command is hung
    up on, which it must not mind, and killed five seconds later. Its descriptors keep their
    numbers, since what is opened afterwards must not be taken for one of them.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        connection = os.dup(CONNECTION)
    except OSError:  # its status may depend on that, and is told at its end
        return
    for number in HANGING_UP:
        signal.signal(number, signal.SIG_IGN)
    for descriptor in range(CONNECTION + 1):
        os.dup2(nowhere, descriptor)
    _send_end(connection, status)


def _tell_end(status: int) -> None:
    """The end comes before the kernel takes this process apart, which lasts 2 ms (measured).

    Neither the stub nor whoever reads the output has to wait for that. The warm process tells the
    same a second time, to nobody; where it was told early, there is nobody here either.
    """
    for number in range(CONNECTION):
        with suppress(OSError):  # the command closed it
            os.close(number)
    _send_end(CONNECTION, status)


def _send_end(descriptor: int, status: int) -> None:
    with suppress(OSError), socket.socket(fileno=descriptor) as connection:
        connection.send(wire.exited(status), socket.MSG_NOSIGNAL)
