"""``ssi migrate``: running jobs go to another node."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from ssi.cli.exits import highest
from ssi.cli.gpids import parse_gpids
from ssi.cli.outcome import complain, run_async
from ssi.cli.output import Output, tells
from ssi.client.moves import Mover
from ssi.client.system import System
from ssi.model.errors import SsiError, UsageError
from ssi.model.migration import CannotMigrate, Live
from ssi.protocol.migration import MigrationChecked
from ssi.protocol.refusals import NotAJob
from ssi.view import moves as view
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Report

AUTO: Final = "auto"
PARALLEL: Final = 4
"""Moves at once: enough to fill a link while others freeze, few enough to be done soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was typed.

    Attributes:
        destination: Name of a node, or :data:`AUTO`.
        parallel: How many at once.
        live: A word of :class:`Live`; empty: as suits best.
    """

    gpids: tuple[int, ...]
    destination: str
    dry_run: bool
    output: Output
    parallel: int
    live: str


@tells
def migrate(
    output: Output,
    words: Annotated[
        list[str],
        typer.Argument(metavar="JOB... NODE", help="Which, and where they are to go."),
    ],
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="NODE|auto", help="Where to; auto: each where it suits best."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what stands in the way: 26 if anything.")
    ] = False,
    parallel: Annotated[
        int, typer.Option("--parallel", "-j", min=1, max=32, help="How many at once.")
    ] = PARALLEL,
    live: Annotated[
        Live | None,
        typer.Option(
            "--live",
            help="When memory travels. stop: while the job is stopped. pre: most of it before, "
            "where the kernel can tell what is written to; the default there for 256 MiB and "
            "more. post: after it, in the background; "
            "THE JOB IS LOST if its old node or the link dies meanwhile.",
        ),
    ] = None,
) -> None:
    """Move running jobs to another node: all of their processes, with their memory and files."""
    *texts, destination = words if to is None else [*words, to]
    if not texts:
        raise UsageError(text="a job or a node is missing", hint="ssi migrate JOB... NODE")
    request = Request(
        gpids=tuple(dict.fromkeys(parse_gpids(texts))),
        destination=destination,
        dry_run=dry_run,
        output=output,
        parallel=parallel,
        live="" if live is None else live.value,
    )
    run_async(lambda system: _run(system, request))


async def _run(system: System, request: Request) -> int:
    destination = request.destination
    if destination != AUTO:
        destination = await system.select_one(destination)
    mover, slots = Mover(system), asyncio.Semaphore(request.parallel)

    async def one(gpid: int) -> tuple[int, JsonObject]:
        async with slots:
            try:
                if request.dry_run:
                    return await _check(mover, gpid, destination, request)
                return await _move(mover, gpid, destination, request)
            except SsiError as exc:
                complain(exc)
                return exc.exit_code, view.failed_object(gpid, exc)

    results = await asyncio.gather(*(one(gpid) for gpid in request.gpids))
    told = [each for _status, each in results]
    named = [str(each["gpid"]) for status, each in results if not status]
    request.output.told(Report(lines=(), results=told, named=named))
    return highest(status for status, _told in results)


async def _move(
    mover: Mover, gpid: int, destination: str, request: Request
) -> tuple[int, JsonObject]:
    try:
        job = await mover.locate(gpid)
    except NotAJob as exc:
        # It becomes a job on its way, or names why it cannot.
        process = await mover.find(exc.gpid)
        adopted = await mover.adopt(process, "" if destination == AUTO else destination)
        if not request.output.is_data:
            print(view.adopted_line(gpid, adopted.source, adopted.report), flush=True)
        if destination != AUTO:
            return 0, view.moved_object(adopted.source, adopted.destination, adopted.report)
        job = await mover.locate(adopted.report.row.gpid)
    moved = await mover.follow(
        job,
        lambda job: (
            mover.move_anywhere(job, request.live)
            if destination == AUTO
            else mover.move(job, destination, request.live)
        ),
    )
    if not request.output.is_data:
        print(view.moved_line(moved.source, moved.destination, moved.report), flush=True)
    return 0, view.moved_object(moved.source, moved.destination, moved.report)


async def _check(
    mover: Mover, gpid: int, destination: str, request: Request
) -> tuple[int, JsonObject]:
    try:
        job = await mover.locate(gpid)
    except NotAJob as exc:
        process = await mover.find(exc.gpid)
        checked = await mover.check_adoption(process, "" if destination == AUTO else destination)
        return _told(checked, silent=request.output.is_data)
    checked = await mover.follow(
        job,
        lambda job: (
            mover.check_anywhere(job, request.live)
            if destination == AUTO
            else mover.check(job, destination, request.live)
        ),
    )
    return _told(checked, silent=request.output.is_data)


def _told(checked: MigrationChecked, *, silent: bool) -> tuple[int, JsonObject]:
    if not silent:
        sys.stdout.write(view.checked_lines(checked))
        sys.stdout.flush()
    can_move = not (checked.here or checked.there)
    return 0 if can_move else CannotMigrate.exit_code, view.checked_object(checked)
