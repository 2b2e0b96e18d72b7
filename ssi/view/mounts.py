"""Mounts as a listing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ssi.protocol.mounts import MountList
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Listing


class Mounted(NamedTuple):
    """One mount: where, whose files, and at which path."""

    on: str
    node: str
    point: str


def mounted_of(answers: Sequence[MountList]) -> list[Mounted]:
    """What the nodes told."""
    return [Mounted(answer.node, row.node, row.point) for answer in answers for row in answer.rows]


def mount_listing(rows: Sequence[Mounted]) -> Listing[Mounted]:
    """A line for each mount."""
    return Listing(
        kind="mount",
        fields=_FIELDS,
        rows=rows,
        objects_of=mount_objects,
        name_of=lambda row: row.point,
    )


def mount_objects(rows: Sequence[Mounted]) -> list[JsonObject]:
    """The same for scripts."""
    return [{"on": row.on, "node": row.node, "point": row.point} for row in rows]


_FIELDS: Final[tuple[Field[Mounted], ...]] = (
    Field(name="on", cell=lambda row: row.on),
    Field(name="node", cell=lambda row: row.node),
    Field(name="point", cell=lambda row: row.point),
)
