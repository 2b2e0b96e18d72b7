"""``ssi attach``: this terminal joined to a job that runs."""

from __future__ import annotations

from typing import Annotated

import typer

from ssi.cli.gpids import parse_gpids
from ssi.cli.outcome import run_async
from ssi.cli.run import hold
from ssi.client.jobs import JobHandle
from ssi.client.system import System


def attach(
    gpid: Annotated[str, typer.Argument(metavar="JOB", help="As `ssi jobs` shows.")],
) -> None:
    """Join a running job: see what it writes and write to it, until it ends."""
    (job_gpid,) = parse_gpids([gpid])

    async def body(system: System) -> int:
        return await hold(await JobHandle.find(system, job_gpid))

    run_async(body)
