"""Files as a listing, and names in columns."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Listing
from ssi.view.text import plain, width

_KINDS: Final = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
_GAP: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A file of a machine.

    Attributes:
        place: Node and path, as other commands take them.
        user: Its owner; the uid as text where it has no name. ``group`` likewise.
        target: Where a symbolic link leads; empty for all else.
    """

    place: str
    node: str
    path: str
    name: str
    mode: int
    links: int
    user: str
    group: str
    size_bytes: int
    modified_at_s: float
    target: str = ""


def file_listing(rows: Sequence[FileRow]) -> Listing[FileRow]:
    """A line for each file, as ``ls -l`` has it."""
    return Listing(
        kind="ls",
        fields=_FIELDS,
        rows=rows,
        objects_of=file_objects,
        name_of=lambda row: row.place,
    )


def file_objects(rows: Sequence[FileRow]) -> list[JsonObject]:
    """The same for scripts."""
    return [
        {
            "place": row.place,
            "node": row.node,
            "path": row.path,
            "name": row.name,
            "kind": _KINDS.get(stat.S_IFMT(row.mode), "file"),
            "mode": f"{stat.S_IMODE(row.mode):04o}",
            "links": row.links,
            "user": row.user,
            "group": row.group,
            "size_bytes": row.size_bytes,
            "modified_at_s": row.modified_at_s,
            "target": row.target or None,
        }
        for row in rows
    ]


def in_columns(names: Sequence[str], width_cells: int | None) -> str:
    """Names below each other in as many columns as fit; one to a line where the width is None."""
    shown = [plain(name) for name in names]
    if width_cells is None or not shown:
        return "".join(f"{name}\n" for name in shown)
    cells = max(map(width, shown)) + _GAP
    columns = max(1, (width_cells + _GAP) // cells)
    height = -(-len(shown) // columns)
    lines = []
    for line in range(height):
        parts = shown[line::height]
        padded = [part + " " * (cells - width(part)) for part in parts[:-1]]
        lines.append("".join([*padded, parts[-1]]) + "\n")
    return "".join(lines)


def _shown_name(row: FileRow) -> str:
    return f"{row.name} -> {row.target}" if row.target else row.name


def _modified(row: FileRow) -> str:
    return datetime.fromtimestamp(row.modified_at_s).astimezone().strftime("%Y-%m-%d %H:%M")


_FIELDS: Final[tuple[Field[FileRow], ...]] = (
    Field(name="place", cell=lambda row: row.place, wide=True),
    Field(name="mode", cell=lambda row: stat.filemode(row.mode)),
    Field(
        name="links",
        cell=lambda row: str(row.links),
        order=lambda row: row.links,
        right=True,
        spare=2,
    ),
    Field(name="user", cell=lambda row: row.user),
    Field(name="group", cell=lambda row: row.group, spare=1),
    Field(
        name="size",
        cell=lambda row: str(row.size_bytes),
        order=lambda row: row.size_bytes,
        right=True,
    ),
    Field(name="modified", cell=_modified, order=lambda row: row.modified_at_s),
    Field(name="name", cell=_shown_name),
)
