"""``ssi migrate``: a running job goes to another node."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from ssi.cli.gpids import each_located, parse_gpids
from ssi.cli.outcome import run_async
from ssi.client.system import Location, System
from ssi.model.errors import UsageError
from ssi.protocol.messages import JobMigrated, MigrateJob
from ssi.protocol.refusals import NotAJob
from ssi.view.quantity import size

MIGRATION_TIMEOUT_S: Final = 600.0


def migrate(
    gpid: Annotated[str, typer.Argument(metavar="JOB", help="As `ssi jobs` shows.")],
    node: Annotated[str, typer.Argument(metavar="NODE", help="Where it is to go.")],
) -> None:
    """Move a running job to another node: all of its processes, with their memory and files."""
    gpids = parse_gpids([gpid])

    async def body(system: System) -> int:
        destinations = await system.select(node)
        if len(destinations) != 1:
            raise UsageError(text=f"{node} names {len(destinations)} nodes", hint="name one node")

        async def deed(location: Location) -> None:
            if location.job == 0:
                raise NotAJob(gpid=location.gpid, node=location.node)
            await _move(system, location, destinations[0].name)

        return await each_located(system, gpids, deed)

    run_async(body)


async def _move(system: System, location: Location, destination: str) -> None:
    request = MigrateJob(gpid=location.job, start_ms=location.start_ms, destination=destination)
    moved = await system.ask(
        request, JobMigrated, node=location.node, timeout_s=MIGRATION_TIMEOUT_S
    )
    carried = f", {size(moved.carried_bytes)} of files" if moved.files_carried else ""
    print(
        f"{moved.row.gpid} {location.node} -> {destination}: {moved.total_ms:.0f} ms in all, "
        f"frozen for {moved.freeze_ms:.0f} ms, image {size(moved.image_bytes)}{carried}"
    )
