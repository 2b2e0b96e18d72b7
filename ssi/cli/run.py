"""``ssi run``: a command on a node, with this terminal's input, output and exit status."""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import msgspec
import typer

from ssi.cli.foreground import hold
from ssi.cli.outcome import run_async
from ssi.client.escape import parse_escape
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.client.terminal import has_terminal, terminal_of
from ssi.client.viewer import View
from ssi.model.errors import UsageError
from ssi.model.job import LEASE_S, JobSpec
from ssi.model.jobfiles import JobFiles, default_binds, is_systems, ordered, parse_bind

THIS_MACHINE: Final = "this machine"
"""In place of a node's name, which has no space in it."""


class Root(StrEnum):
    """Whose files a job sees."""

    AUTO = "auto"
    HOME = "home"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class _Sight:
    """What the user said of the files that a job is to see."""

    root: Root
    binds: tuple[str, ...]


def run(
    command: Annotated[list[str], typer.Argument(metavar="-- CMD [ARGS]...", help="What to run.")],
    node: Annotated[
        str | None, typer.Option("--node", "-n", help="On this node; else on the least loaded.")
    ] = None,
    tty: Annotated[
        bool,
        typer.Option("--tty", "-t", help="Give it a terminal, also where this is none."),
    ] = False,
    no_tty: Annotated[
        bool, typer.Option("--no-tty", "-T", help="Give it pipes, also where this is a terminal.")
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
    escape: Annotated[
        str,
        typer.Option("--escape", metavar="CHAR", help="Begins ~. and ~?; `none` for none."),
    ] = "~",
    bind: Annotated[
        list[str] | None,
        typer.Option(
            "--bind",
            metavar="[NODE:]SRC[:DST]",
            help="Show it SRC of this machine, or of NODE, at DST, or at the same path.",
        ),
    ] = None,
    root: Annotated[
        Root,
        typer.Option(
            "--root",
            envvar="SSI_ROOT",
            help="Whose files it sees: this machine's home and working directory over the "
            "node's own (auto), this machine's only (home), the node's only (local).",
        ),
    ] = Root.AUTO,
    lease_s: Annotated[
        float,
        typer.Option(
            "--lease", metavar="SECONDS", min=0, help="How long it waits for you when cut off."
        ),
    ] = LEASE_S,
) -> None:
    """Run a command on a node, as yourself; on a terminal it gets one."""
    if root is Root.LOCAL and bind:
        raise UsageError(text="--bind and --root local are opposites", hint="give one of them")
    if tty and no_tty:
        raise UsageError(text="--tty and --no-tty are opposites", hint="give one of them")
    terminal = tty or (not no_tty and not detach and has_terminal())
    spec = JobSpec(
        argv=tuple(command),
        cwd=cwd if cwd is not None else _cwd(),
        cwd_fallback=cwd is None,
        environment={**_locale(), **_environment(env or [])},
        terminal=terminal_of() if terminal else None,
        detached=detach,
        lease_s=lease_s,
    )
    view = View(escape=parse_escape(escape))
    run_async(
        lambda system: _run(system, node, spec, view, _Sight(root, tuple(bind or ()))),
        runs=True,
        limited=False,
    )


async def _run(system: System, node: str | None, spec: JobSpec, view: View, sight: _Sight) -> int:
    place = await _place(system, node)
    spec = await _with_files(system, place, spec, sight)
    job = await JobHandle.start(system, place, spec)
    if job.notice:
        _tell(job.notice)
    if spec.detached:
        print(job.row.gpid)
        return 0
    return await hold(job, view)


async def _place(system: System, node: str | None) -> str:
    if node is None:
        return (await system.place()).node
    return await system.select_one(node)


async def _with_files(system: System, place: str, spec: JobSpec, sight: _Sight) -> JobSpec:
    """The job with the files that it is to see.

    Raises:
        UsageError: A bind that cannot be read, or that this machine cannot give.
    """
    if sight.root is Root.LOCAL:
        return spec
    home = (await system.nodes()).observer
    cwd = spec.cwd or "/"
    asked = [parse_bind(text, home or THIS_MACHINE, cwd) for text in sight.binds]
    if not home:
        if sight.root is Root.HOME or any(bind.node == THIS_MACHINE for bind in asked):
            raise UsageError(
                text="this machine is no node, so its files are not seen on others",
                hint="add it with ssi up, or bind files of a node: --bind NODE:SRC[:DST]",
            )
        if sys.stderr.isatty():  # for a person; ssh's users expect nothing else
            _tell(
                f"the job sees the files of {place}: this machine is no node, and its files are "
                "not seen there (--root local says nothing of it)"
            )
        files = JobFiles(home=place, binds=ordered(asked))
        return msgspec.structs.replace(spec, files=files) if asked else spec
    directory = pwd.getpwuid(os.getuid()).pw_dir
    is_whole = sight.root is Root.HOME
    # What its user cannot enter here, such as root's directory after su, is no loss there.
    own, work = (path if os.access(path, os.X_OK) else "" for path in (directory, cwd))
    binds = () if is_whole else default_binds(home, own, work)
    if place != home and not is_whole and is_systems(cwd) and cwd != "/":
        _tell(f"the job sees {cwd} as {place} has it: it belongs to the machine (--bind {cwd})")
    files = JobFiles(
        home=home, home_directory=own, is_whole=is_whole, binds=ordered((*binds, *asked))
    )
    return msgspec.structs.replace(spec, files=files)


def _tell(notice: str) -> None:
    print(f"ssi: {notice}", file=sys.stderr, flush=True)


def _cwd() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - what the user's shell calls it
    except FileNotFoundError:
        return ""


def _locale() -> dict[str, str]:
    """What language this person reads and writes, as ssh passes it on."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in {"LANG", "LANGUAGE", "COLORTERM"} or name.startswith("LC_")
    }


def _environment(settings: list[str]) -> dict[str, str]:
    environment = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not name or not separator:
            raise UsageError(text=f"--env {setting!r} is no setting", hint="write --env NAME=VALUE")
        environment[name] = value
    return environment
