"""What happened in the mesh, as people read it: a line for each event, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ssi.model.node import MeshEvent
from ssi.view.jsonview import event_objects
from ssi.view.listing import Field, Listing

_COLOURS: Final = {
    "died": "red",
    "revoked": "red",
    "suspected": "yellow",
    "refuted": "green",
    "joined": "green",
}


def event_listing(events: Sequence[MeshEvent]) -> Listing[MeshEvent]:
    """``2026-11-21 05:48:51.504 n3 died n1``, each in a line."""
    return Listing(
        kind="events",
        fields=_FIELDS,
        rows=events,
        objects_of=event_objects,
        name_of=lambda event: event.node,
    )


def _at(event: MeshEvent) -> str:
    local = datetime.fromtimestamp(event.at_s).astimezone()
    return local.isoformat(sep=" ", timespec="milliseconds")[:23]


_FIELDS: Final[tuple[Field[MeshEvent], ...]] = (
    Field(name="at", cell=_at, order=lambda event: event.at_s),
    Field(name="node", cell=lambda event: event.node),
    Field(
        name="event",
        cell=lambda event: event.kind,
        colour=lambda event: _COLOURS.get(event.kind, ""),
    ),
    Field(name="by", cell=lambda event: "" if event.by == event.node else event.by or ""),
)
