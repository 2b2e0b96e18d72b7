"""``ssi jobs``: the jobs of all nodes, also ended ones that are remembered."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from ssi.cli.outcome import complain, run_async
from ssi.client.system import System
from ssi.protocol.system import JobList, ListJobs
from ssi.view import jobs as view
from ssi.view.jsonview import render_json


def jobs(
    as_json: Annotated[bool, typer.Option("--json", help="One list of objects.")] = False,
    nodes: Annotated[str | None, typer.Option("--nodes", "-n", help="Of these nodes only.")] = None,
) -> None:
    """Show your jobs; as root, everyone's."""
    run_async(lambda system: _show(system, nodes, as_json=as_json))


async def _show(system: System, nodes: str | None, *, as_json: bool) -> int:
    answers = await system.gather(ListJobs(), JobList, await system.select(nodes))
    rows = sorted(
        (row for reply in answers.replies.values() for row in reply.rows),
        key=lambda row: row.start_ms,
    )
    if as_json:
        sys.stdout.write(render_json(view.job_objects(rows)))
    else:
        sys.stdout.write(view.render_jobs(rows, now_ms=time.time() * 1000))
    for error in answers.failures.values():
        complain(error)
    return max((error.exit_code for error in answers.failures.values()), default=0)
