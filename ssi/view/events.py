"""What happened in the mesh, as people read it: a line for each event, oldest first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ssi.model.node import MeshEvent
from ssi.view.text import plain


def render_events(events: Iterable[MeshEvent]) -> str:
    """``2026-11-21 05:48:51.504  n3          died (told by n1)``, each in a line."""
    return "".join(f"{_line(event)}\n" for event in events)


def _line(event: MeshEvent) -> str:
    local = datetime.fromtimestamp(event.at_s).astimezone()
    at = local.isoformat(sep=" ", timespec="milliseconds").split("+")[0]
    who = f" (told by {plain(event.by)})" if event.by and event.by != event.node else ""
    return f"{at}  {plain(event.node):<10}  {event.kind}{who}"
