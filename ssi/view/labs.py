"""Hosts of labs as a listing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Listing


class LabHost(NamedTuple):
    """A host of a lab.

    Attributes:
        pid: Of its init on this machine; None where it does not run.
    """

    lab: str
    host: str
    address: str
    condition: str
    pid: int | None
    ssh_config: str


def host_listing(rows: Sequence[LabHost]) -> Listing[LabHost]:
    """A line for each host."""
    return Listing(
        kind="lab status",
        fields=_FIELDS,
        rows=rows,
        objects_of=_objects,
        name_of=lambda row: row.host,
    )


def _objects(rows: Sequence[LabHost]) -> list[JsonObject]:
    return [dict(row._asdict()) for row in rows]


_FIELDS: Final[tuple[Field[LabHost], ...]] = (
    Field(name="lab", cell=lambda row: row.lab),
    Field(name="host", cell=lambda row: row.host),
    Field(name="address", cell=lambda row: row.address),
    Field(
        name="condition",
        cell=lambda row: row.condition,
        colour=lambda row: "green" if row.condition == "running" else "yellow",
    ),
    Field(name="pid", cell=lambda row: str(row.pid or "-"), right=True, wide=True),
    Field(name="ssh_config", cell=lambda row: row.ssh_config, wide=True),
)
