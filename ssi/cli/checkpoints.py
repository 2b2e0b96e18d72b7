"""``ssi checkpoint``, ``restore``, ``clone``, ``checkpoints``: jobs kept as images, and copied."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from ssi.cli.gpids import parse_gpids
from ssi.cli.outcome import complain, run_async
from ssi.client.checkpoints import Checkpoints
from ssi.client.moves import Mover
from ssi.client.system import System
from ssi.model.checkpoint import FilesRule
from ssi.model.errors import SsiError
from ssi.view import checkpoints as view
from ssi.view.jsonview import render_json

JobArgument = Annotated[str, typer.Argument(metavar="GPID", help="As `ssi jobs` shows.")]


def checkpoint(
    gpid: JobArgument,
    name: Annotated[
        str, typer.Option("--name", "-o", help="What it is called; it then outlives its job.")
    ] = "",
    stop: Annotated[
        bool, typer.Option("--stop", help="The job ends with it; its files stay as they are.")
    ] = False,
) -> None:
    """Keep a running job as it is now, on its node; it goes on."""

    async def body(system: System) -> int:
        job = await Mover(system).locate(parse_gpids([gpid])[0])
        made = await Checkpoints(system).make(job, name, stop=stop)
        print(view.made_line(made))
        return 0

    run_async(body)


def restore(
    name: Annotated[str, typer.Argument(metavar="[NODE:]NAME", help="As `ssi checkpoints` has.")],
    node: Annotated[
        str | None, typer.Option("--node", "-n", help="Where; else on the node that keeps it.")
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="As another job, whatever became of the first.")
    ] = False,
    files: Annotated[
        FilesRule, typer.Option("--files", help="If a file that it had open is not as it was.")
    ] = FilesRule.SAME,
) -> None:
    """Let a checkpoint run again, as the job that it was."""

    async def body(system: System) -> int:
        asked = Checkpoints(system)
        row = await asked.find(name)
        where = await system.select_one(node or row.node)
        print(view.revived_line(await asked.restore(row, where, as_new=new, files=files)))
        return 0

    run_async(body)


def clone(
    gpid: JobArgument,
    node: Annotated[
        str | None, typer.Option("--node", "-n", help="Where; else where the job is.")
    ] = None,
    share_files: Annotated[
        bool, typer.Option("--share-files", help="Both may write to the same files.")
    ] = False,
) -> None:
    """Make a second job of a running one, with gpids of its own; both go on."""

    async def body(system: System) -> int:
        job = await Mover(system).locate(parse_gpids([gpid])[0])
        where = await system.select_one(node or job.node)
        revived = await Checkpoints(system).clone(job, where, share_files=share_files)
        print(view.revived_line(revived))
        return 0

    run_async(body)


app = typer.Typer(
    help="Show the checkpoints of all nodes; `rm NAME...` removes some.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def show(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One list of objects.")] = False,
    nodes: Annotated[str | None, typer.Option("--nodes", "-n", help="Of these nodes only.")] = None,
) -> None:
    """Show the checkpoints of all nodes."""
    if context.invoked_subcommand is None:
        run_async(lambda system: _show(system, nodes, as_json=as_json))


@app.command("rm")
def remove(
    names: Annotated[list[str], typer.Argument(metavar="[NODE:]NAME...", help="Which.")],
) -> None:
    """Remove checkpoints."""

    async def body(system: System) -> int:
        asked = Checkpoints(system)
        return await _each(names, lambda name: _remove(asked, name))

    run_async(body)


async def _show(system: System, nodes: str | None, *, as_json: bool) -> int:
    found = await Checkpoints(system).all(nodes)
    if as_json:
        sys.stdout.write(render_json(view.checkpoint_objects(found.rows)))
    else:
        sys.stdout.write(view.render_checkpoints(found.rows, now_ms=time.time() * 1000))
    for error in found.failures:
        complain(error)
    return max((error.exit_code for error in found.failures), default=0)


async def _remove(asked: Checkpoints, name: str) -> None:
    await asked.remove(await asked.find(name))


async def _each(names: list[str], deed: Callable[[str], Awaitable[None]]) -> int:
    """Does something to each; one that fails does not stop the others."""
    status = 0
    for name in names:
        try:
            await deed(name)
        except SsiError as exc:
            complain(exc)
            status = max(status, exc.exit_code)
    return status
