"""The process table as people see it: which rows, in which order, as lines of text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ssi.model.errors import UsageError
from ssi.view.columns import (
    Moment,
    Placed,
    ProcessColumn,
    column_named,
    command_text,
    is_column,
    parse_columns,
)
from ssi.view.jsonview import JsonObject, process_objects
from ssi.view.listing import Format, Way, orderly
from ssi.view.table import render_table
from ssi.view.tree import branches, forest

WIDE_COLUMNS: Final = (
    "gpid,ppid,job,node,user,s,ni,nlwp,%cpu,%mem,vsz,rss,tty,lstart,etime,time,sess,pgid,command"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessListing:
    """Processes as the user wants to see them.

    Attributes:
        placed: In the order of the nodes.
        columns: Those of the command where none is asked for, as ``-o`` takes them.
        tree: Whether a table shows who started whom.
    """

    placed: Sequence[Placed]
    columns: str
    moment: Moment
    tree: bool = False

    def table(self, way: Way) -> str:
        """One line for each process."""
        wide = way.format is Format.WIDE
        columns = way.columns or (WIDE_COLUMNS if wide else self.columns)
        return render_processes(
            sort_processes(self.placed, way.sort),
            parse_columns(columns),
            self.moment,
            width_cells=None if wide else way.width_cells,
            headers=way.headers,
            tree=self.tree,
        )

    def objects(self, sort: str) -> list[JsonObject]:
        """As ``docs/json.md`` has them."""
        return process_objects(sort_processes(self.placed, sort))

    def names(self, sort: str) -> list[str]:
        """Their gpids."""
        return [
            str(each.row.gpid)
            for each in sort_processes(self.placed, sort)
            if not each.row.thread_of
        ]


def render_processes(
    placed: Sequence[Placed],
    columns: Sequence[ProcessColumn],
    moment: Moment,
    *,
    width_cells: int | None = None,
    headers: bool = True,
    tree: bool = False,
) -> str:
    """The table of processes as text, one line each, in the order given (or as a forest).

    A header stands above unless no column has a title.
    """
    drawn: list[str] = []
    if tree:
        rows = forest([(p.row.gpid, p.row.parent_gpid) for p in placed])
        placed, drawn = [placed[branch.row] for branch in rows], branches(rows)
    cells = [column.cells(placed, moment) for column in columns]
    for index, column in enumerate(columns):
        if tree and column.bears_tree:
            cells[index] = [line + cell for line, cell in zip(drawn, cells[index], strict=True)]
    return render_table(
        [column.column for column in columns],
        list(zip(*cells, strict=True)),
        width_cells=width_cells,
        headers=headers and any(column.column.title for column in columns),
    )


def sort_processes(placed: Iterable[Placed], keys: str) -> list[Placed]:
    """The rows ordered as ``ps --sort`` does: ``-%cpu,rss`` puts the busiest first, then the small.

    A key may also be a name of the JSON: ``-rss_bytes``.

    Raises:
        UsageError: A key is unknown.
    """
    ordered = list(placed)
    for key in reversed([key.strip() for key in keys.split(",") if key.strip()]):
        ordered = _sorted_by(ordered, key.lstrip("+-"), descending=key.startswith("-"))
    return ordered


def _sorted_by(placed: list[Placed], name: str, *, descending: bool) -> list[Placed]:
    """By one column, or by a name of the JSON where no column is called so."""
    if not is_column(name):
        from ssi.view.schema import has_name  # which few commands need

        if has_name("ps", name):
            values = [orderly(each[name]) for each in process_objects(placed)]
            order = sorted(range(len(placed)), key=values.__getitem__, reverse=descending)
            return [placed[index] for index in order]
    return sorted(placed, key=column_named(name, "--sort").sort_value, reverse=descending)


def select_processes(
    placed: Iterable[Placed], *, pattern: str = "", users: Collection[str] = ()
) -> list[Placed]:
    """The rows whose command line the pattern is found in, of these users; all without either.

    Args:
        placed: Any rows.
        pattern: A regular expression as Python has them, looked for in the name and the whole
            command line (``pgrep -f``); a whole gpid finds its process.
        users: Names, or uids where a node has no name for one.

    Raises:
        UsageError: The pattern is no regular expression.
    """
    try:
        found = re.compile(pattern).search
    except re.error as exc:
        raise UsageError(
            text=f"the pattern {pattern!r} cannot be read: {exc}",
            hint="it is a regular expression; write \\ before ( ) [ ] * + ? . to mean themselves",
        ) from exc
    return [
        p
        for p in placed
        if (not users or p.row.user in users)
        and (
            not pattern
            or found(p.row.name)
            or found(command_text(p.row))
            or pattern == str(p.row.thread_of or p.row.gpid)
        )
    ]
