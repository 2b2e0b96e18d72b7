"""``ssi cp``: files from any machine to any other, without a detour."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Annotated

import typer

from ssi.cli.copyreport import CopyReport
from ssi.cli.foreground import hold
from ssi.cli.outcome import run_async
from ssi.cli.places import names_among
from ssi.cli.settings import settings, wants_progress
from ssi.client.files.copier import CopyOptions
from ssi.client.files.delivery import deliver
from ssi.client.files.errand import Errand, errands
from ssi.client.files.errors import FileFailed
from ssi.client.files.guest import PATIENCE_S, Guest
from ssi.client.files.place import Place, parse_place
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.client.viewer import View
from ssi.model.errors import UsageError
from ssi.model.job import JobSpec


def cp(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE... TARGET",
            help="NODE:PATH, or PATH of this machine.",
            show_default=False,
        ),
    ],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", "-R", help="Directories, with all in them.")
    ] = False,
    archive: Annotated[
        bool,
        typer.Option(
            "--archive", "-a", help="-r -p, with hard links and extended attributes as they are."
        ),
    ] = False,
    preserve: Annotated[
        bool, typer.Option("--preserve", "-p", help="Keep mode, times and (as root) owner.")
    ] = False,
    no_clobber: Annotated[
        bool, typer.Option("--no-clobber", "-n", help="Leave alone what is there already.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name each file on stdout.")
    ] = False,
    progress: Annotated[
        bool | None,
        typer.Option(
            "--progress/--no-progress", help="Show progress on stderr; else on a terminal only."
        ),
    ] = None,
) -> None:
    """Copy files between nodes, or this machine and nodes: ssi cp n1:/a n2:/b.

    Between two nodes the bytes go straight from one to the other. What replaces a file does so when
    it is whole and was read back; a copy that was broken off goes on when it is asked for again.
    """
    if len(places) < 2:
        raise UsageError(text="cp wants what to copy, and where to", hint="ssi cp n1:/a n2:/b")
    umask = os.umask(0)
    os.umask(umask)
    options = CopyOptions(
        recursive=recursive or archive,
        preserve=preserve or archive,
        archive=archive,
        no_clobber=no_clobber,
        umask=umask,
    )
    painted = wants_progress() if progress is None else progress
    report = CopyReport(verbose=verbose, painted=painted, width=shutil.get_terminal_size().columns)
    flags = ["--verbose"] * verbose + ["--progress"] * painted + ["--quiet"] * settings().quiet
    parsed = [parse_place(text) for text in places]
    run_async(lambda system: _copy(system, parsed, options, report, flags), limited=False)


async def _copy(
    system: System,
    places: Sequence[Place],
    options: CopyOptions,
    report: CopyReport,
    flags: Sequence[str],
) -> int:
    """Makes all copies, here or at the node that has the files; the highest exit status."""
    *sources, target = places
    patience_s = settings().timeout_s or PATIENCE_S
    nodes = await system.nodes()
    status = 0
    for errand in errands(sources, target, nodes.observer, names_among(nodes)):
        if errand.at:
            words = _words(options, errand, [*flags, f"--timeout={patience_s}"])
            status = max(status, await _send(system, errand.at, words))
        else:
            async with Guest(system, patience_s) as guest:
                status = max(status, await _do(guest, errand, options, report))
    return status


async def _do(guest: Guest, errand: Errand, options: CopyOptions, report: CopyReport) -> int:
    """Makes a copy here; the exit status."""
    try:
        await deliver(guest, errand, options, report)
    except FileFailed as exc:
        report.failed(exc)
    finally:
        report.clear()
    return 1 if report.has_failed else 0


async def _send(system: System, node: str, words: list[str]) -> int:
    """Has the node make the copy, as a job that ends with this process; its exit status."""
    environment = {"SSI_COLD": "1", "COLUMNS": str(shutil.get_terminal_size().columns)}
    spec = JobSpec(argv=tuple(words), environment=environment)
    job = await JobHandle.start(system, node, spec)
    return await hold(job, View(escape=b""), stdin=None)


def _words(options: CopyOptions, errand: Errand, flags: list[str]) -> list[str]:
    """The command that makes the copy at a node."""
    settings = {
        "--archive": options.archive,
        "--recursive": options.recursive,
        "--preserve": options.preserve,
        "--no-clobber": options.no_clobber,
    }
    given = [flag for flag, is_set in settings.items() if is_set]
    return ["ssi", "cp", *flags, *given, "--", *map(str, errand.sources), str(errand.target)]
