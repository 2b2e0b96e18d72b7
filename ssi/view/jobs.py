"""Jobs as a table and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ssi.model.job import JobRow, JobState
from ssi.view.jsonview import JsonObject
from ssi.view.quantity import age
from ssi.view.table import Column, render_table

_COLUMNS = (
    Column(title="JOB", right=True),
    Column(title="NODE"),
    Column(title="USER"),
    Column(title="STATE"),
    Column(title="AGE", right=True),
    Column(title="PROCS", right=True),
    Column(title="WAY"),
    Column(title="COMMAND"),
)


def render_jobs(
    rows: Sequence[JobRow], *, now_ms: float, width_cells: int | None = None, headers: bool = True
) -> str:
    """A line for each job, in the order given."""
    cells = [
        (
            str(row.gpid),
            row.node,
            row.user,
            _state(row),
            age((now_ms - row.start_ms) / 1000),
            str(row.processes),
            ">".join(row.nodes),
            shlex.join(row.argv) + (f"  ({row.problem})" if row.problem else ""),
        )
        for row in rows
    ]
    return render_table(_COLUMNS, cells, width_cells=width_cells, headers=headers)


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
        }
        for row in rows
    ]


def _state(row: JobRow) -> str:
    if row.state is JobState.EXITED:
        return f"exited({row.exit_status})"
    return row.state.value
