"""``ssi jobs``: the jobs of all nodes, also ended ones that are remembered."""

from __future__ import annotations

import time

from ssi.cli.options import NodesOption
from ssi.cli.output import Output, Seen, shows
from ssi.client.listings import list_jobs
from ssi.client.system import System
from ssi.view.jobs import job_listing


@shows
def jobs(output: Output, nodes: NodesOption = None) -> None:
    """Show your jobs; as root, everyone's."""

    async def take(system: System) -> Seen:
        answers = await list_jobs(system, await system.select(nodes))
        rows = sorted(
            (row for reply in answers.replies.values() for row in reply.rows),
            key=lambda row: row.start_ms,
        )
        return Seen(
            listed=job_listing(rows, now_ms=time.time() * 1000),
            failures=answers.failures,
            missing="its jobs are not shown",
        )

    output.present(job_listing([], now_ms=0.0), take)
