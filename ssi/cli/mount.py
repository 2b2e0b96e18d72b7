"""``ssi mount``, ``ssi umount``: other nodes' files, where they are mounted and how."""

from __future__ import annotations

from typing import Annotated

import typer

from ssi.cli.exits import highest
from ssi.cli.outcome import complain_all, run_async
from ssi.cli.output import Output, Seen, shows
from ssi.client.system import System
from ssi.model.errors import UsageError
from ssi.protocol.mounts import ListMounts, MountFiles, MountList, UnmountFiles
from ssi.view.complaints import folded_lines
from ssi.view.mounts import mount_listing, mounted_of

OnOption = Annotated[
    str | None,
    typer.Option("--on", metavar="NODES", help="Where to mount; all nodes if left out."),
]


@shows
def mount(
    output: Output,
    node: Annotated[
        str | None, typer.Argument(metavar="[NODE]", help="Whose files. Nothing: list mounts.")
    ] = None,
    point: Annotated[
        str, typer.Argument(metavar="[POINT]", help="Where; /ssi/n/NODE if left out.")
    ] = "",
    on: OnOption = None,
    cache_s: Annotated[
        float, typer.Option("--cache", metavar="S", help="Believe attributes and names so long.")
    ] = 1.0,
    sync: Annotated[
        bool, typer.Option("--sync", help="Believe nothing: ask the other node each time.")
    ] = False,
    deadline_s: Annotated[
        float, typer.Option("--deadline", metavar="S", help="An operation fails after so long.")
    ] = 4.7,
) -> None:
    """Mount a node's files, or show what is mounted where."""
    if node is None:
        output.present(mount_listing([]), lambda system: _mounts(system, on))
    if point:
        _check_absolute(point)
    request = MountFiles(
        node=node, point=point, cache_s=0.0 if sync else cache_s, deadline_s=deadline_s
    )
    _ask(request, on, skipped=node)


def umount(
    point: Annotated[str, typer.Argument(metavar="POINT", help="A mount point, or a node.")],
    on: OnOption = None,
) -> None:
    """Take a mount of another node's files away, whoever uses it."""
    path = point if "/" in point else f"/ssi/n/{point}"
    _check_absolute(path)
    skipped = path.removeprefix("/ssi/n/")
    _ask(UnmountFiles(point=path), on, skipped=skipped)


def _check_absolute(point: str) -> None:
    if not point.startswith("/"):
        raise UsageError(text=f"{point} is no absolute path")


async def _mounts(system: System, on: str | None) -> Seen:
    answers = await system.gather(ListMounts(), MountList, await system.select(on))
    return Seen(
        listed=mount_listing(mounted_of(list(answers.replies.values()))),
        failures=answers.failures,
        missing="its mounts are not shown",
    )


def _ask(request: MountFiles | UnmountFiles, on: str | None, *, skipped: str) -> None:
    async def body(system: System) -> int:
        rows = [row for row in await system.select(on) if on is not None or row.name != skipped]
        answers = await system.gather(request, MountList, rows)
        complain_all(folded_lines(answers.failures))
        return highest(error.exit_code for error in answers.failures.values())

    run_async(body)
