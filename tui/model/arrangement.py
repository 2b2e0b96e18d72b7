"""Processes in the order in which they stand on the screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ssi.view.tree import Branch, branches, forest
from tui.model.choice import Choice
from tui.model.columns import COLUMNS
from tui.model.entry import Entry, Identity


class Line(NamedTuple):
    """A process where it stands.

    Attributes:
        prefix: The lines of the tree before its command; ``+`` at their end: children are hidden.
    """

    entry: Entry
    prefix: str = ""


def arrange(
    entries: Iterable[Entry], choice: Choice, held: Mapping[int, int] | None = None
) -> list[Line]:
    """All lines that are to be seen.

    Args:
        entries: Of all nodes.
        choice: What the person wants.
        held: Where each gpid stood, while their order is held; newcomers follow them.
    """
    ordered = _ordered([entry for entry in entries if choice.shows(entry)], choice)
    if held is not None:
        last = len(held)
        ordered.sort(key=lambda entry: held.get(entry.row.gpid, last))
    if choice.tree:
        return _as_tree(ordered, choice.closed)
    return [Line(entry) for entry in ordered]


def ranks(lines: Sequence[Line]) -> dict[int, int]:
    """Where each gpid stands, to be held."""
    return {line.entry.row.gpid: index for index, line in enumerate(lines)}


def _ordered(entries: list[Entry], choice: Choice) -> list[Entry]:
    value = COLUMNS[choice.sort].value
    if choice.tree:  # whose branches would jump about
        entries.sort(key=lambda entry: entry.row.gpid)
    else:
        entries.sort(key=value, reverse=choice.descends)
    if choice.grouped:
        entries.sort(key=lambda entry: entry.node)
    return entries


def _as_tree(ordered: Sequence[Entry], closed: frozenset[Identity]) -> list[Line]:
    grown = forest([(entry.row.gpid, _parent(entry)) for entry in ordered])
    open_rows = list(_without_closed(grown, ordered, closed))
    drawn = branches(open_rows)
    return [
        Line(
            ordered[branch.row],
            f"{prefix}+ " if ordered[branch.row].identity in closed else prefix,
        )
        for branch, prefix in zip(open_rows, drawn, strict=True)
    ]


def _parent(entry: Entry) -> int:
    """A process of a job whose parent is not known stands under the job, wherever that runs."""
    row = entry.row
    if row.parent_gpid:
        return row.parent_gpid
    return row.job if row.job != row.gpid else 0


def _without_closed(
    grown: Sequence[Branch], ordered: Sequence[Entry], closed: frozenset[Identity]
) -> Iterable[Branch]:
    hidden_below: int | None = None
    for branch in grown:
        if hidden_below is not None and branch.depth > hidden_below:
            continue
        hidden_below = branch.depth if ordered[branch.row].identity in closed else None
        yield branch
