"""Mounts as a table and as objects."""

from __future__ import annotations

from collections.abc import Sequence

from ssi.protocol.mounts import MountList
from ssi.view.jsonview import JsonObject
from ssi.view.text import plain


def render_mounts(answers: Sequence[MountList]) -> str:
    """One line per mount: where, whose files, and at which path."""
    lines = [
        f"{plain(answer.node):12} {plain(row.node):12} {plain(row.point)}"
        for answer in answers
        for row in answer.rows
    ]
    return "".join(f"{line}\n" for line in [f"{'ON':12} {'FILES OF':12} POINT", *lines])


def mount_objects(answers: Sequence[MountList]) -> list[JsonObject]:
    """The same for scripts."""
    return [
        {"on": answer.node, "node": row.node, "point": row.point}
        for answer in answers
        for row in answer.rows
    ]
