"""``ssi wait``: until jobs have ended."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ssi.cli.exits import of_running
from ssi.cli.foreground import exit_status_of
from ssi.cli.gpids import parse_gpids
from ssi.cli.outcome import complain, run_async
from ssi.cli.output import Output, tells
from ssi.cli.settings import settings
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.protocol.refusals import TimedOut
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Report


@tells
def wait(
    output: Output,
    gpids: Annotated[list[str], typer.Argument(metavar="JOB...", help="As `ssi jobs` shows.")],
) -> None:
    """Wait for jobs to end; the exit status is the last one's, as bash's wait has it."""
    jobs = parse_gpids(gpids)

    async def body(system: System) -> int:
        found = await asyncio.gather(*(_wait(system, gpid) for gpid in jobs))
        statuses = [status for status, _error in found]
        results: list[JsonObject] = [
            {"gpid": gpid, "exit_status": status, "error": error or None}
            for gpid, (status, error) in zip(jobs, found, strict=True)
        ]
        output.told(Report(lines=(), results=results, named=[str(gpid) for gpid in jobs]))
        return statuses[-1]

    run_async(body, runs=True, limited=False)


async def _wait(system: System, gpid: int) -> tuple[int, str]:
    """The status of a job, and the word of the error that kept it from being known."""
    timeout_s = settings().timeout_s
    try:
        async with asyncio.timeout(timeout_s):
            row = await (await JobHandle.find(system, gpid)).wait()
    except TimeoutError:
        error = TimedOut(node=f"job {gpid}", request="to end", after_s=timeout_s or 0.0)
        complain(error)
        return error.exit_code, error.word
    except SsiError as exc:
        complain(exc)
        return of_running(exc), exc.word
    return exit_status_of(row), ""
