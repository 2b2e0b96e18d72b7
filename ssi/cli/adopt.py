"""``ssi adopt``: processes that ssi did not start become jobs, or it is told why they cannot."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ssi.cli.gpids import each_located, parse_gpids
from ssi.cli.outcome import run_async
from ssi.cli.output import Output, tells
from ssi.cli.signals import GpidArguments
from ssi.client.moves import Mover
from ssi.client.system import Location, System
from ssi.model.adoption import CannotAdopt
from ssi.view import moves as view
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Report


@tells
def adopt(
    output: Output,
    gpids: GpidArguments,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what stands in the way: 35 if anything.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also where its parent would see it end.")
    ] = False,
) -> None:
    """Make jobs of processes that ssi did not start, with all of their children, in place."""
    wanted = parse_gpids(gpids)

    async def body(system: System) -> int:
        mover = Mover(system)
        stuck: list[str] = []
        results: list[JsonObject] = []

        def say(text: str) -> None:
            if not output.is_data:
                sys.stdout.write(text)
                sys.stdout.flush()

        async def deed(process: Location) -> None:
            if process.job:
                say(f"{process.gpid} is a process of job {process.job} already\n")
                results.append(view.owned_object(process.gpid, process.node, process.job))
            elif dry_run:
                checked = await mover.check_adoption(process, "", force=force)
                stuck.extend((*checked.here, *checked.there))
                say(view.adoptable_lines(checked))
                results.append(view.checked_object(checked))
            else:
                moved = await mover.adopt(process, "", force=force)
                say(f"{view.adopted_line(process.gpid, moved.source, moved.report)}\n")
                job = moved.report.row.gpid
                results.append(view.owned_object(process.gpid, moved.source, job))

        status = await each_located(system, wanted, deed)
        named = [str(each.get("job") or each["gpid"]) for each in results]
        output.told(Report(lines=(), results=results, named=named))
        return status or (CannotAdopt.exit_code if stuck else 0)

    run_async(body)
