"""Fetches the rows of the views that are not of processes."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ssi.client.listings import list_jobs
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.model.node import MeshEvent, NodeState
from ssi.protocol.system import EventList, ListEvents
from tui.model.listing import ListRow
from tui.model.views import EVENTS, GPUS, JOBS, event_rows, gpu_rows, job_rows, node_rows
from tui.watch import PATIENCE_S, Watch


async def fetch_rows(
    view: str, system: System, feed: Watch, deeds: Sequence[tuple[float, str]]
) -> list[ListRow]:
    """What a view shows now. Nodes that do not answer are missing, as the badges say.

    Raises:
        SsiError: The agent at the door does not answer.
    """
    if view == JOBS:
        answers = await list_jobs(system, feed.nodes, PATIENCE_S)
        jobs = [row for reply in answers.replies.values() for row in reply.rows]
        return job_rows(jobs, time.time())
    if view == EVENTS:
        return event_rows(await _events(system, feed), deeds)
    if view == GPUS:
        return gpu_rows(feed.nodes, feed.census.entries())
    return node_rows(feed.nodes, feed.meters)


async def _events(system: System, feed: Watch) -> Sequence[MeshEvent]:
    """What a node knows: each knows as much as the others."""
    for row in feed.nodes:
        if row.state is NodeState.ALIVE:
            try:
                return (
                    await system.ask(ListEvents(), EventList, node=row.name, timeout_s=2.0)
                ).rows
            except SsiError:
                continue
    return ()
