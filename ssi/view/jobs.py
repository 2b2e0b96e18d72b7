"""Jobs as a table and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from ssi.model.job import JobRow, JobState
from ssi.view.colour import of_state
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Listing
from ssi.view.quantity import age

MOST_NODES: Final = 5
"""Of which a way is shown; of a longer one the first and the last."""


def job_listing(rows: Sequence[JobRow], *, now_ms: float) -> Listing[JobRow]:
    """A line for each job, in the order given."""
    fields: tuple[Field[JobRow], ...] = (
        Field(name="job", cell=lambda row: str(row.gpid), order=lambda row: row.gpid, right=True),
        Field(name="node", cell=lambda row: row.node),
        Field(name="user", cell=lambda row: row.user, spare=1),
        Field(name="state", cell=_state, colour=lambda row: of_state(row.state.value)),
        Field(
            name="age",
            cell=lambda row: age((now_ms - row.start_ms) / 1000),
            order=lambda row: now_ms - row.start_ms,
            right=True,
        ),
        Field(
            name="procs",
            cell=lambda row: str(row.processes),
            order=lambda row: row.processes,
            right=True,
            spare=2,
        ),
        Field(name="way", cell=lambda row: way_of(row.nodes), spare=3),
        Field(name="home", cell=lambda row: row.home or "-", wide=True),
        Field(name="cwd", cell=lambda row: row.cwd, wide=True),
        Field(name="command", cell=_command),
    )
    return Listing(
        kind="jobs",
        fields=fields,
        rows=rows,
        objects_of=job_objects,
        name_of=lambda row: str(row.gpid),
    )


def way_of(nodes: Sequence[str]) -> str:
    """Where a job has been, in one narrow cell: where it began, and was last."""
    if len(nodes) <= MOST_NODES:
        return ">".join(nodes)
    left_out = len(nodes) - MOST_NODES + 1
    return ">".join((nodes[0], f"({left_out} more)", *nodes[left_out + 1 :]))


def job_objects(rows: Sequence[JobRow]) -> list[JsonObject]:
    """Jobs as ``docs/json.md`` promises them."""
    return [
        {
            "gpid": row.gpid,
            "node": row.node,
            "user": row.user,
            "command": " ".join(row.argv),
            "args": list(row.argv),
            "cwd": row.cwd,
            "state": row.state.value,
            "exit_status": row.exit_status,
            "started_at_s": row.start_ms / 1000,
            "ended_at_s": None if row.ended_ms is None else row.ended_ms / 1000,
            "detached": row.detached,
            "terminal": row.has_terminal,
            "epoch": row.epoch,
            "nodes": list(row.nodes),
            "home": row.home,
            "processes": row.processes,
            "problem": row.problem,
            "frozen": row.frozen,
            "name": row.name or None,
        }
        for row in rows
    ]


def _command(row: JobRow) -> str:
    return shlex.join(row.argv) + _remark(row)


def _remark(row: JobRow) -> str:
    """What went wrong; else, while it lives, of which machine that is no node it needs files."""
    if row.problem:
        return f"  ({row.problem})"
    over = row.state in {JobState.EXITED, JobState.LOST}
    clients = row.files.clients() if row.files is not None and not over else ()
    return f"  (needs {', '.join(clients)})" if clients else ""


def _state(row: JobRow) -> str:
    if row.state is JobState.EXITED:
        return f"exited({row.exit_status})"
    return row.state.value
