"""Checkpoints as a table and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ssi.model.checkpoint import CheckpointRow
from ssi.protocol.checkpoints import CheckpointMade, JobRevived
from ssi.view.jsonview import JsonObject
from ssi.view.quantity import age, size
from ssi.view.table import Column, render_table

_COLUMNS = (
    Column(title="NAME"),
    Column(title="JOB", right=True),
    Column(title="NODE"),
    Column(title="USER"),
    Column(title="SIZE", right=True),
    Column(title="AGE", right=True),
    Column(title="KEPT"),
    Column(title="COMMAND"),
)


def render_checkpoints(
    rows: Sequence[CheckpointRow], *, now_ms: float, width_cells: int | None = None
) -> str:
    """A line for each, in the order given."""
    cells = [
        (
            row.name,
            str(row.gpid) if row.gpid else "-",
            row.node,
            row.user or "-",
            size(row.size_bytes),
            age((now_ms - row.made_ms) / 1000) if row.made_ms else "-",
            "yes" if row.kept else "with its job",
            shlex.join(row.argv) + (f"  ({row.problem})" if row.problem else ""),
        )
        for row in rows
    ]
    return render_table(_COLUMNS, cells, width_cells=width_cells)


def checkpoint_objects(rows: Sequence[CheckpointRow]) -> list[JsonObject]:
    """Checkpoints as ``docs/json.md`` promises them."""
    return [
        {
            "name": row.name,
            "node": row.node,
            "gpid": row.gpid,
            "user": row.user,
            "command": " ".join(row.argv),
            "args": list(row.argv),
            "epoch": row.epoch,
            "made_at_s": row.made_ms / 1000,
            "size_bytes": row.size_bytes,
            "kept": row.kept,
            "problem": row.problem,
        }
        for row in rows
    ]


def made_line(made: CheckpointMade) -> str:
    """A checkpoint that was made, in one line."""
    return (
        f"{made.row.name}: {size(made.row.size_bytes)} on {made.row.node}, "
        f"{made.total_ms:.0f} ms in all, held for {made.freeze_ms:.0f} ms"
    )


def revived_line(revived: JobRevived) -> str:
    """A job that runs again, or a copy of one."""
    held = f", the other held for {revived.freeze_ms:.0f} ms" if revived.freeze_ms else ""
    return f"{revived.row.gpid} on {revived.row.node}: {revived.total_ms:.0f} ms in all{held}"
