"""``ssi run``: a command on a node, with this terminal's input, output and exit status."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from typing import Annotated, Any, Final

import typer

from ssi.cli.outcome import complain, run_async
from ssi.client.attachment import OutputClosed, attach
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.client.terminal import on_resize, raw_terminal, terminal_of
from ssi.model.errors import SsiError, UsageError
from ssi.model.job import JobRow, JobSpec, JobState

SSI_FAILED: Final = 255
"""Exit status where ssi itself failed and not the command, as ssh(1) has it."""

FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def run(
    command: Annotated[list[str], typer.Argument(metavar="-- CMD [ARGS]...", help="What to run.")],
    node: Annotated[
        str | None, typer.Option("--node", "-n", help="On this node; else on the least loaded.")
    ] = None,
    tty: Annotated[
        bool, typer.Option("--tty", "-t", help="Give it a terminal, as ssh -t does.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Print its gpid and leave it running.")
    ] = False,
    env: Annotated[
        list[str] | None, typer.Option("--env", "-e", metavar="K=V", help="Set a variable.")
    ] = None,
    cwd: Annotated[
        str | None, typer.Option("--cwd", metavar="DIR", help="Start there; else here, or at home.")
    ] = None,
) -> None:
    """Run a command on a node, as yourself."""
    spec = JobSpec(
        argv=tuple(command),
        cwd=cwd if cwd is not None else _cwd(),
        cwd_fallback=cwd is None,
        environment=_environment(env or []),
        terminal=terminal_of(0) if tty and not detach else None,
        detached=detach,
    )
    run_async(lambda system: _run(system, node, spec))


async def _run(system: System, node: str | None, spec: JobSpec) -> int:
    try:
        place = await _place(system, node)
        job = await JobHandle.start(system, place, spec)
    except SsiError as exc:
        complain(exc)
        return exc.exit_code if exc.exit_code in {2, 125, 126, 127} else SSI_FAILED
    if spec.detached:
        print(job.row.gpid)
        return 0
    try:
        return await hold(job)
    except SsiError as exc:
        complain(exc)
        return SSI_FAILED


async def hold(job: JobHandle) -> int:
    """Joins this process to a foreground job until it ends; its exit status."""
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        if job.row.has_terminal:
            stack.enter_context(raw_terminal(0))
            stack.enter_context(on_resize(lambda: _resize(job)))
        for number in FORWARDED:
            loop.add_signal_handler(number, _forward, job, number)
            stack.callback(loop.remove_signal_handler, number)
        try:
            row = await attach(job, stdin=0)
        except OutputClosed:
            with suppress(TimeoutError):  # one that ignores SIGPIPE is ended by its lease
                async with asyncio.timeout(2.0):
                    await job.wait()
                    await job.release()
            return 128 + signal.SIGPIPE
    await job.release()
    return exit_status_of(row)


def exit_status_of(row: JobRow) -> int:
    """The exit status of a job that ended; 255 for one that was lost, which is told."""
    if row.state is JobState.LOST or row.exit_status is None:
        print(f"ssi: job {row.gpid} is lost: {row.problem}", file=sys.stderr)
        return SSI_FAILED
    return row.exit_status


_background: set[asyncio.Task[None]] = set()
"""Signals and sizes on their way: the loop keeps only weak references to tasks."""


def _forward(job: JobHandle, number: int) -> None:
    _start(job.signal(number))


def _resize(job: JobHandle) -> None:
    _start(job.resize(terminal_of(0)))


def _start(coroutine: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(coroutine)
    _background.add(task)
    task.add_done_callback(_background.discard)


async def _place(system: System, node: str | None) -> str:
    if node is None:
        return (await system.place()).node
    rows = await system.select(node)
    if len(rows) != 1:
        raise UsageError(text=f"{node} names {len(rows)} nodes", hint="name one node")
    return rows[0].name


def _cwd() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - what the user's shell calls it
    except FileNotFoundError:
        return ""


def _environment(settings: list[str]) -> dict[str, str]:
    environment = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not name or not separator:
            raise UsageError(text=f"--env {setting!r} is no setting", hint="write --env NAME=VALUE")
        environment[name] = value
    return environment
