"""Checkpoints as a table and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ssi.model.checkpoint import CheckpointRow
from ssi.protocol.checkpoints import CheckpointMade, JobRevived
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Listing
from ssi.view.quantity import age, size


def checkpoint_listing(rows: Sequence[CheckpointRow], *, now_ms: float) -> Listing[CheckpointRow]:
    """A line for each, in the order given."""
    fields: tuple[Field[CheckpointRow], ...] = (
        Field(name="name", cell=lambda row: row.name),
        Field(
            name="job",
            cell=lambda row: str(row.gpid) if row.gpid else "-",
            order=lambda row: row.gpid,
            right=True,
        ),
        Field(name="node", cell=lambda row: row.node),
        Field(name="user", cell=lambda row: row.user or "-", spare=1),
        Field(
            name="size",
            cell=lambda row: size(row.size_bytes),
            order=lambda row: row.size_bytes,
            right=True,
        ),
        Field(
            name="age",
            cell=lambda row: age((now_ms - row.made_ms) / 1000) if row.made_ms else "-",
            order=lambda row: now_ms - row.made_ms,
            right=True,
        ),
        Field(name="kept", cell=lambda row: "yes" if row.kept else "with its job", spare=2),
        Field(
            name="command",
            cell=lambda row: shlex.join(row.argv) + (f"  ({row.problem})" if row.problem else ""),
        ),
    )
    return Listing(
        kind="checkpoints",
        fields=fields,
        rows=rows,
        objects_of=checkpoint_objects,
        name_of=lambda row: f"{row.node}:{row.name}",
    )


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


def made_object(made: CheckpointMade) -> JsonObject:
    """The same for ``--json``."""
    return {
        "gpid": made.row.gpid,
        "name": made.row.name,
        "node": made.row.node,
        "size_bytes": made.row.size_bytes,
        "total_ms": made.total_ms,
        "freeze_ms": made.freeze_ms,
    }


def revived_object(revived: JobRevived) -> JsonObject:
    """The same for ``--json``."""
    return {
        "gpid": revived.row.gpid,
        "node": revived.row.node,
        "total_ms": revived.total_ms,
        "freeze_ms": revived.freeze_ms,
    }
