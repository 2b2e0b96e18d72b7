"""``ssi attach``: this terminal joined to a job that runs."""

from __future__ import annotations

from typing import Annotated

import typer

from ssi.cli.foreground import hold
from ssi.cli.gpids import parse_gpids
from ssi.cli.outcome import run_async
from ssi.client.escape import parse_escape
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.client.viewer import View


def attach(
    gpid: Annotated[str, typer.Argument(metavar="JOB", help="As `ssi jobs` shows.")],
    read_only: Annotated[
        bool, typer.Option("--read-only", "-r", help="Only look; ^C leaves.")
    ] = False,
    escape: Annotated[str, typer.Option("--escape", metavar="CHAR", help="As of `ssi run`.")] = "~",
) -> None:
    """Join a running job: see what it writes and write to it, until it ends or you leave (~.)."""
    (job_gpid,) = parse_gpids([gpid])
    view = View(escape=parse_escape(escape), read_only=read_only, newcomer=True)

    async def body(system: System) -> int:
        return await hold(await JobHandle.find(system, job_gpid), view)

    run_async(body, runs=True, limited=False)
