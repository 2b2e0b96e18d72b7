"""``ssi checkpoint``, ``restore``, ``clone``, ``checkpoints``: jobs kept as images, and copied."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import typer

from ssi.cli.exits import highest
from ssi.cli.family import family
from ssi.cli.gpids import parse_gpids
from ssi.cli.options import NodesOption
from ssi.cli.outcome import complain, run_async
from ssi.cli.output import Output, Seen, makes, shows, tells
from ssi.client.checkpoints import Checkpoints
from ssi.client.moves import Mover
from ssi.client.system import Location, System
from ssi.model.checkpoint import FilesRule
from ssi.model.errors import SsiError, UsageError
from ssi.protocol.checkpoints import JobRevived
from ssi.view import checkpoints as view
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Report

JobArguments = Annotated[list[str], typer.Argument(metavar="JOB...", help="As `ssi jobs` shows.")]
Deed = Callable[[str], Awaitable[tuple[str, str, JsonObject]]]
"""Does something to what a word names: the line that tells of it, a name, and an object."""


@makes
def checkpoint(
    output: Output,
    gpids: JobArguments,
    name: Annotated[
        str, typer.Option("--name", "-o", help="What it is called; it then outlives its job.")
    ] = "",
    stop: Annotated[
        bool, typer.Option("--stop", help="The job ends with it; its files stay as they are.")
    ] = False,
) -> None:
    """Keep running jobs as they are now, each on its node; they go on."""
    parse_gpids(gpids)
    if name and len(gpids) > 1:
        raise UsageError(text="--name is for one checkpoint", hint="leave it out, or name one job")

    async def body(system: System) -> int:
        async def deed(gpid: str) -> tuple[str, str, JsonObject]:
            mover = Mover(system)
            made = await mover.follow(
                await mover.locate(parse_gpids([gpid])[0]),
                lambda job: Checkpoints(system).make(job, name, stop=stop),
            )
            named = f"{made.row.node}:{made.row.name}"
            return view.made_line(made), named, view.made_object(made)

        return await _each(output, gpids, deed)

    run_async(body)


@tells
def restore(
    output: Output,
    names: Annotated[
        list[str], typer.Argument(metavar="[NODE:]NAME...", help="As `ssi checkpoints` has.")
    ],
    node: Annotated[
        str | None,
        typer.Option(
            "--nodes", "--node", "-n", metavar="NODE", help="Where; else on those that keep them."
        ),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="As another job, whatever became of the first.")
    ] = False,
    files: Annotated[
        FilesRule, typer.Option("--files", help="If a file that it had open is not as it was.")
    ] = FilesRule.SAME,
) -> None:
    """Let checkpoints run again, as the jobs that they were."""

    async def body(system: System) -> int:
        async def deed(name: str) -> tuple[str, str, JsonObject]:
            asked = Checkpoints(system)
            row = await asked.find(name)
            where = await system.select_one(node or row.node)
            revived = await asked.restore(row, where, as_new=new, files=files)
            return view.revived_line(revived), str(revived.row.gpid), view.revived_object(revived)

        return await _each(output, names, deed)

    run_async(body)


@tells
def clone(
    output: Output,
    gpids: JobArguments,
    node: Annotated[
        str | None,
        typer.Option(
            "--nodes", "--node", "-n", metavar="NODE", help="Where; else where each job is."
        ),
    ] = None,
    share_files: Annotated[
        bool, typer.Option("--share-files", help="Both may write to the same files.")
    ] = False,
) -> None:
    """Make second jobs of running ones, with gpids of their own; all go on."""
    parse_gpids(gpids)

    async def body(system: System) -> int:
        async def deed(gpid: str) -> tuple[str, str, JsonObject]:
            async def cloned(job: Location) -> JobRevived:
                where = await system.select_one(node or job.node)
                return await Checkpoints(system).clone(job, where, share_files=share_files)

            mover = Mover(system)
            revived = await mover.follow(await mover.locate(parse_gpids([gpid])[0]), cloned)
            return view.revived_line(revived), str(revived.row.gpid), view.revived_object(revived)

        return await _each(output, gpids, deed)

    run_async(body)


app = family("Show the checkpoints of all nodes; `rm NAME...` removes some.", does_something=True)


@shows
def show(output: Output, context: typer.Context, nodes: NodesOption = None) -> None:
    """Show the checkpoints of all nodes."""
    if context.invoked_subcommand is not None:
        return

    async def take(system: System) -> Seen:
        found = await Checkpoints(system).all(nodes)
        return Seen(
            listed=view.checkpoint_listing(found.rows, now_ms=time.time() * 1000),
            failures=found.failures,
            missing="its checkpoints are not shown",
        )

    output.present(view.checkpoint_listing([], now_ms=0.0), take)


app.callback()(show)


@app.command("rm")
def remove(
    names: Annotated[list[str], typer.Argument(metavar="[NODE:]NAME...", help="Which.")],
) -> None:
    """Remove checkpoints."""

    async def body(system: System) -> int:
        asked = Checkpoints(system)

        async def deed(name: str) -> tuple[str, str, JsonObject]:
            await asked.remove(await asked.find(name))
            return "", name, {}

        return await _each(None, names, deed)

    run_async(body)


async def _each(output: Output | None, words: Sequence[str], deed: Deed) -> int:
    """Does something to each in turn; one that fails does not stop the others."""
    statuses, named, objects = [0], [], []
    for word in words:
        try:
            line, name, result = await deed(word)
        except SsiError as exc:
            complain(exc)
            statuses.append(exc.exit_code)
            continue
        named.append(name)
        objects.append(result)
        if output is not None and not output.is_data:
            print(line, flush=True)
    if output is not None:
        output.told(Report(lines=(), results=objects, named=named))
    return highest(statuses)
