"""``ssi wait``: until jobs have ended."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ssi.cli.foreground import exit_status_of
from ssi.cli.gpids import parse_gpids
from ssi.cli.outcome import complain, run_async
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.protocol.refusals import TimedOut


def wait(
    gpids: Annotated[list[str], typer.Argument(metavar="JOB...", help="As `ssi jobs` shows.")],
    timeout_s: Annotated[
        float | None, typer.Option("--timeout", min=0, help="Give up after so many seconds: 124.")
    ] = None,
) -> None:
    """Wait for jobs to end; the exit status is the last one's, as bash's wait has it."""
    jobs = parse_gpids(gpids)

    async def body(system: System) -> int:
        return (await asyncio.gather(*(_wait(system, gpid, timeout_s) for gpid in jobs)))[-1]

    run_async(body)


async def _wait(system: System, gpid: int, timeout_s: float | None) -> int:
    try:
        async with asyncio.timeout(timeout_s):
            row = await (await JobHandle.find(system, gpid)).wait()
    except TimeoutError:
        error = TimedOut(node=f"job {gpid}", request="to end", after_s=timeout_s or 0.0)
        complain(error)
        return error.exit_code
    except SsiError as exc:
        complain(exc)
        return exc.exit_code
    return exit_status_of(row)
