"""Jobs and nodes in the columns that Slurm's users know. As objects they are ssi's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from ssi.model.job import JobRow, JobState
from ssi.model.node import NodeRow, NodeState
from ssi.model.nodeset import fold
from ssi.view.jobs import job_objects
from ssi.view.jsonview import node_objects
from ssi.view.listing import Field, Listing
from ssi.view.quantity import elapsed

STATES: Final = {
    JobState.STARTING: "CF",
    JobState.RUNNING: "R",
    JobState.STOPPED: "ST",
    JobState.FROZEN: "S",
    JobState.MIGRATING: "CG",
    JobState.LOST: "NF",
    JobState.EXITED: "CD",
}
"""As squeue shortens them. Source: squeue(1), JOB STATE CODES."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Nodes that are in the same condition; ssi has one partition."""

    condition: str
    nodes: tuple[NodeRow, ...]


def queue_listing(rows: Sequence[JobRow], *, now_ms: float) -> Listing[JobRow]:
    """A line for each job that lives, in the order given."""
    fields: tuple[Field[JobRow], ...] = (
        Field(name="jobid", cell=lambda row: str(row.gpid), order=lambda row: row.gpid, right=True),
        Field(name="partition", cell=lambda _row: "ssi", spare=1),
        Field(name="name", cell=lambda row: row.name or PurePath(row.argv[0]).name),
        Field(name="user", cell=lambda row: row.user),
        Field(name="st", cell=_state),
        Field(
            name="time",
            cell=lambda row: elapsed((now_ms - row.start_ms) / 1000),
            order=lambda row: now_ms - row.start_ms,
            right=True,
        ),
        Field(name="nodes", cell=lambda _row: "1", right=True, spare=2),
        Field(name="nodelist(reason)", cell=lambda row: row.node),
    )
    return Listing(
        kind="jobs",
        fields=fields,
        rows=rows,
        objects_of=job_objects,
        name_of=lambda row: str(row.gpid),
    )


def partition_listing(rows: Sequence[NodeRow]) -> Listing[Partition]:
    """A line for each condition that nodes are in, with their set."""
    conditions = dict.fromkeys(map(condition_of, rows))
    partitions = [
        Partition(condition=each, nodes=tuple(row for row in rows if condition_of(row) == each))
        for each in conditions
    ]
    fields: tuple[Field[Partition], ...] = (
        Field(name="partition", cell=lambda _row: "ssi*"),
        Field(name="avail", cell=lambda _row: "up"),
        Field(name="timelimit", cell=lambda _row: "infinite", right=True),
        Field(
            name="nodes",
            cell=lambda row: str(len(row.nodes)),
            order=lambda row: len(row.nodes),
            right=True,
        ),
        Field(name="state", cell=lambda row: row.condition),
        Field(name="nodelist", cell=lambda row: fold(each.name for each in row.nodes)),
    )
    return Listing(
        kind="nodes",
        fields=fields,
        rows=partitions,
        objects_of=lambda groups: node_objects([row for each in groups for row in each.nodes]),
        name_of=lambda row: fold(each.name for each in row.nodes),
    )


def condition_of(row: NodeRow) -> str:
    """How Slurm would call the condition of a node. Source: sinfo(1), NODE STATE CODES."""
    if row.state is not NodeState.ALIVE or row.metrics is None:
        return "down*" if row.state is NodeState.DEAD else "unk*"
    if row.metrics.cordoned:
        return "drng" if row.metrics.jobs else "drain"
    if row.metrics.jobs == 0:
        return "idle"
    return "alloc" if row.metrics.jobs >= row.metrics.cores else "mix"


def _state(row: JobRow) -> str:
    return "S" if row.frozen else STATES[row.state]
