"""``ssi mount``, ``ssi umount``: other nodes' files, where they are mounted and how."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ssi.cli.outcome import complain, run_async
from ssi.client.system import System
from ssi.model.errors import UsageError
from ssi.protocol.mounts import ListMounts, MountFiles, MountList, UnmountFiles
from ssi.view.jsonview import render_json
from ssi.view.mounts import mount_objects, render_mounts

OnOption = Annotated[
    str | None,
    typer.Option("--on", metavar="NODES", help="Where to mount; all nodes if left out."),
]


def mount(
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
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
) -> None:
    """Mount a node's files, or show what is mounted where."""
    request: MountFiles | ListMounts = ListMounts()
    if node is not None:
        request = MountFiles(
            node=node, point=point, cache_s=0.0 if sync else cache_s, deadline_s=deadline_s
        )
    _ask(request, on, skipped=node or "", as_json=as_json, shows=node is None)


def umount(
    point: Annotated[str, typer.Argument(metavar="POINT", help="A mount point, or a node.")],
    on: OnOption = None,
) -> None:
    """Take a mount of another node's files away, whoever uses it."""
    path = point if "/" in point else f"/ssi/n/{point}"
    if not path.startswith("/"):
        raise UsageError(text=f"{point} is no absolute path")
    skipped = path.removeprefix("/ssi/n/")
    _ask(UnmountFiles(point=path), on, skipped=skipped, as_json=False, shows=False)


def _ask(
    request: MountFiles | UnmountFiles | ListMounts,
    on: str | None,
    *,
    skipped: str,
    as_json: bool,
    shows: bool,
) -> None:
    async def body(system: System) -> int:
        rows = [row for row in await system.select(on) if on is not None or row.name != skipped]
        answers = await system.gather(request, MountList, rows)
        if shows:
            replies = list(answers.replies.values())
            sys.stdout.write(
                render_json(mount_objects(replies)) if as_json else render_mounts(replies)
            )
        for error in answers.failures.values():
            complain(error)
        return max((error.exit_code for error in answers.failures.values()), default=0)

    run_async(body)
