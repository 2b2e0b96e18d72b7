"""How a command ends: its exit status, and one line on stderr where it failed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import typer

from ssi.client.connection import Connection
from ssi.client.system import System
from ssi.model.errors import SsiError, first_error
from ssi.view.text import plain

Body = Callable[[System], Coroutine[Any, Any, int]]  # Any: what the coroutine is sent


def run_async(body: Body) -> NoReturn:
    """Runs a command on a connection to the agent, and ends with the status that it returns.

    Raises:
        typer.Exit: Always.
        SsiError: What it failed with; :func:`ended` shows it.
    """
    raise typer.Exit(asyncio.run(_connected(body)))


async def _connected(body: Body) -> int:
    async with await Connection.open() as connection:
        return await body(System(connection))


def ended(command: Callable[[], object]) -> int:
    """The exit status of a command; its errors become one line each on stderr."""
    try:
        command()
        return _flushed(0)
    except SystemExit as exc:
        return _flushed(exc.code if isinstance(exc.code, int) else 1)
    except SsiError as exc:
        complain(exc)
        return _flushed(exc.exit_code)
    except ExceptionGroup as group:
        error = first_error(group)
        if error is None:
            raise
        complain(error)
        return _flushed(error.exit_code)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _broken_pipe()


def complain(error: SsiError) -> None:
    """One line: what failed, where, and what to do next."""
    text = " ".join(plain(str(error)).split())
    print(f"ssi: {text}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """One line on stderr that is no error."""
    print(f"ssi: {plain(text)}", file=sys.stderr, flush=True)


def _flushed(status: int) -> int:
    try:
        if sys.stdout is not None:  # as it is where it was closed before we began
            sys.stdout.flush()
    except BrokenPipeError:
        return _broken_pipe()
    return status


def _broken_pipe() -> int:
    """Silence, as other programs that SIGPIPE ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 141
