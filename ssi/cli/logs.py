"""``ssi logs``: what a detached job has written, from its first byte."""

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
    gpid: Annotated[str, typer.Argument(metavar="JOB", help="As `ssi jobs` shows.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")
    ] = False,
) -> None:
    """Show the output of a detached job: its stdout on stdout, its stderr on stderr.

    The first 16 MiB of each are kept, until the job is one of the 1000 oldest that ended.
    """
    (job_gpid,) = parse_gpids([gpid])

    async def body(system: System) -> int:
        job = await JobHandle.find(system, job_gpid)
        await asyncio.gather(
            copy_stream(job, "stdout", 1, follow=follow),
            copy_stream(job, "stderr", 2, follow=follow),
        )
        return 0

    run_async(body)
