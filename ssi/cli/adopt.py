"""``ssi adopt``: processes that ssi did not start become jobs, or it is told why they cannot."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ssi.cli.gpids import each_located, parse_gpids
from ssi.cli.outcome import run_async
from ssi.cli.signals import GpidArguments
from ssi.client.moves import Mover
from ssi.client.system import Location, System
from ssi.model.adoption import CannotAdopt
from ssi.view import moves as view


def adopt(
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

        async def deed(process: Location) -> None:
            if process.job:
                print(f"{process.gpid} is a process of job {process.job} already", flush=True)
            elif dry_run:
                checked = await mover.check_adoption(process, "", force=force)
                stuck.extend((*checked.here, *checked.there))
                sys.stdout.write(view.adoptable_lines(checked))
                sys.stdout.flush()
            else:
                moved = await mover.adopt(process, "", force=force)
                print(view.adopted_line(process.gpid, moved.source, moved.report), flush=True)

        status = await each_located(system, wanted, deed)
        return status or (CannotAdopt.exit_code if stuck else 0)

    run_async(body)
