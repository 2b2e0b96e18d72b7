"""How a command ends: its exit status, and a line on stderr where it failed."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import sys
import traceback
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import typer

# Private, but typer is held below the next version, and has no public name for them.
from typer._click.exceptions import ClickException, NoArgsIsHelpError

from ssi.cli.exits import INTERRUPTED, of_running
from ssi.cli.invocation import tell_end
from ssi.cli.settings import forget_settings, settings, wants_colour
from ssi.client.connection import Connection
from ssi.client.system import System
from ssi.model.errors import SsiError, UsageError, first_error
from ssi.protocol.refusals import TimedOut
from ssi.view.colour import paint
from ssi.view.complaints import error_line
from ssi.view.text import plain

_SUGGESTION: Final = re.compile(r"Did you mean:?|\(Possible options:")

SETTLE_S: Final = 0.3
"""What is still under way when a command is interrupted gets so long; leases end the rest."""

_UNWRITABLE: Final = {errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""Why output cannot be written though somebody would read it."""

Body = Callable[[System], Coroutine[Any, Any, int]]  # Any: what the coroutine is sent


@dataclass(eq=False, kw_only=True)
class NotConfirmed(SsiError):
    """A question was answered with no, or not at all; nothing was done."""

    word = "not-confirmed"

    def what(self) -> str:
        return "it was not confirmed, and nothing was done"


@dataclass(eq=False, kw_only=True)
class OutputFailed(SsiError):
    """What a command shows could not be written to where its output goes."""

    word = "output-failed"
    reason: str

    def what(self) -> str:
        return f"the output cannot be written: {self.reason}"

    def advice(self) -> str:
        return "nothing but the output is lost; see where stdout leads"


@dataclass(eq=False, kw_only=True)
class Bug(SsiError):
    """A command failed in a way that nobody foresaw."""

    word = "bug"
    exit_code = 70  # EX_SOFTWARE of sysexits.h
    command: str
    reason: str

    def what(self) -> str:
        return f"`{self.command}` broke: {self.reason}"

    def advice(self) -> str:
        return "this is a bug of ssi; the same with --debug shows where"


def run_async(body: Body, *, runs: bool = False, limited: bool = True) -> NoReturn:
    """Runs a command on a connection to the agent, and ends with the status that it returns.

    A negative status is that of a program which a signal ended, of which this process dies, too.

    Args:
        body: The command.
        runs: Whether it runs a program for the user, so that the statuses of ssi's own failures
            must not be taken for the program's.
        limited: Whether all of it has to be done within ``--timeout``.

    Raises:
        typer.Exit: Always, unless it failed.
        SsiError: What it failed with; :func:`ended` shows it.
    """
    limit_s = settings().timeout_s if limited else None
    try:
        status = asyncio.run(_connected(body, limit_s, tells_early=runs))
    except Exception as exc:
        if not runs or isinstance(exc, BrokenPipeError):
            raise
        error = _error_of(exc)
        complain(error)
        status = of_running(error)
    raise typer.Exit(status)


async def _connected(body: Body, limit_s: float | None, *, tells_early: bool) -> int:
    limit = asyncio.timeout(limit_s)
    try:
        async with limit, await Connection.open() as connection:
            system = System(connection, timeout_s=settings().timeout_s)
            settle_s: float | None = SETTLE_S
            try:
                status = await body(system)
                if status >= 0:
                    settle_s = None
                    if tells_early or system.has_later:
                        await asyncio.sleep(0)  # what was begun is on its way first
                        tell_end(status)
            except Exception:
                settle_s = None
                raise
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(settle_s):
                        await system.settle()
            return status
    except TimeoutError as exc:
        if not limit.expired():
            raise
        raise TimedOut(node="the system", request="all of it", after_s=limit_s or 0.0) from exc


def ended(command: Callable[[], object]) -> int:
    """The exit status of a command, its errors a line each; negative: a signal is to end it."""
    forget_settings()
    try:
        command()
        status = 0
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else 1
    except typer.Exit as exc:
        status = exc.exit_code
    except BrokenPipeError:
        return _broken_pipe()
    except KeyboardInterrupt:
        return INTERRUPTED
    except NoArgsIsHelpError as exc:
        exc.show()
        status = exc.exit_code
    except Exception as exc:  # the rim of the process: nobody is to be shown a traceback
        error = _error_of(exc)
        complain(error)
        status = error.exit_code
    return _flushed(status)


def complain(error: SsiError) -> None:
    """One line: what failed, where, why, what to try, and the code that explains it."""
    if settings().debug:
        traceback.print_exception(error, file=sys.stderr)
    _say(error_line(error), "red")


def complain_all(lines: Sequence[str]) -> None:
    """Errors that were made lines already."""
    for line in lines:
        _say(line, "red")


def note(text: str, *, raw: bool = False) -> None:
    """One line on stderr that is no error; nothing with ``--quiet``.

    Args:
        text: It.
        raw: The terminal is raw, and the cursor may be anywhere in a line.
    """
    if not settings().quiet:
        _say(plain(text), "", raw=raw)


def _say(line: str, colour: str, *, raw: bool = False) -> None:
    head = paint("ssi:", colour) if colour and wants_colour(sys.stderr) else "ssi:"
    text = f"\r\n{head} {line}\r\n" if raw else f"{head} {line}\n"
    print(text, end="", file=sys.stderr, flush=True)


def _error_of(error: Exception) -> SsiError:
    """What a person is told of an exception."""
    if isinstance(error, SsiError):
        return error
    if isinstance(error, ClickException):
        return _usage_error(error)
    if isinstance(error, typer.Abort):
        return NotConfirmed()
    if isinstance(error, ExceptionGroup):
        found = first_error(error)
        if found is not None:
            return found
    return _output_failed(error) or _bug(error)


def _output_failed(error: Exception) -> OutputFailed | None:
    """A file system that is full, or a descriptor that was closed; None for anything else.

    Files that a command itself opens are named in the errors that they lead to.
    """
    if isinstance(error, ExceptionGroup):
        found = map(_output_failed, error.exceptions)
        return next((each for each in found if each is not None), None)
    if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
        return OutputFailed(reason=error.strerror or str(error))
    return None


def _usage_error(error: ClickException) -> UsageError:
    """What the parser of the command line says, in our form."""
    said, *meant = _SUGGESTION.split(error.format_message().strip().rstrip("?"))
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "ssi"
    hint = f"did you mean {meant[0].strip(' )')}?" if meant else f"`{path} --help` tells how"
    said = said.strip().rstrip(".")
    return UsageError(text=said[:1].lower() + said[1:], hint=hint)


def _bug(error: Exception) -> Bug:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    bug = Bug(command=" ".join(["ssi", *sys.argv[1:2]]), reason=reason)
    bug.__cause__ = error
    return bug


def _flushed(status: int) -> int:
    try:
        if sys.stdout is not None:  # as it is where it was closed before we began
            sys.stdout.flush()
    except BrokenPipeError:
        return _broken_pipe()
    except OSError as exc:
        error = _output_failed(exc)
        if error is None:
            raise
        _leave_stdout()
        if status == 0:
            complain(error)
        return status or error.exit_code
    return status


def _broken_pipe() -> int:
    """Silence, as other programs that SIGPIPE ends."""
    _leave_stdout()
    return 141


def _leave_stdout() -> None:
    """What is still to be written goes nowhere; the interpreter would try once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
