"""``ssi disown``: jobs that go on without the terminal that they were started from."""

from __future__ import annotations

from typing import Annotated

import typer

from ssi.cli.gpids import each_located, parse_gpids
from ssi.cli.outcome import run_async
from ssi.cli.output import Output, tells
from ssi.client.system import Location, System
from ssi.protocol.jobs import DisownJob
from ssi.protocol.message import Done


@tells
def disown(
    output: Output,
    gpids: Annotated[list[str], typer.Argument(metavar="JOB...", help="As `ssi jobs` shows.")],
) -> None:
    """Let foreground jobs go on when the `ssi run` that started them ends."""
    jobs = parse_gpids(gpids)

    async def body(system: System) -> int:
        async def deed(location: Location) -> None:
            gpid = location.job or location.gpid
            await system.ask(DisownJob(gpid=gpid), Done, node=location.node)

        return await each_located(system, jobs, deed, output)

    run_async(body)
