"""``ssi logs``: what detached jobs have written, from its first byte."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ssi.cli.gpids import parse_gpids
from ssi.cli.outcome import run_async
from ssi.client.attachment import copy_stream
from ssi.client.jobs import JobHandle
from ssi.client.system import System


def logs(
    gpids: Annotated[list[str], typer.Argument(metavar="JOB...", help="As `ssi jobs` shows.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the jobs have ended.")
    ] = False,
) -> None:
    """Show the output of detached jobs: stdout on stdout, stderr on stderr, one job after another.

    The first 16 MiB of each are kept, until the job is one of the 1000 oldest that ended.
    """
    wanted = parse_gpids(gpids)

    async def body(system: System) -> int:
        for gpid in wanted:
            job = await JobHandle.find(system, gpid)
            await asyncio.gather(
                copy_stream(job, "stdout", 1, follow=follow),
                copy_stream(job, "stderr", 2, follow=follow),
            )
        return 0

    run_async(body)
