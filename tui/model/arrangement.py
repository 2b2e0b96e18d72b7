"""Processes in the order in which they stand on the screen.

Ten thousand of them are put in order each second while somebody types, so this makes no object
for a line that nobody looks at, and keeps the shape of a tree while nobody is born and nobody dies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple, overload

from ssi.model.process import ProcessRow
from ssi.view.tree import Branch, branches, forest
from tui.model.choice import Choice
from tui.model.columns import COLUMNS
from tui.model.entry import Entry

_gpid: Final = attrgetter("row.gpid")


class Line(NamedTuple):
    """A process where it stands.

    Attributes:
        prefix: The lines of the tree before its command; ``+`` at their end: children are hidden.
    """

    entry: Entry
    prefix: str = ""


class Tree(NamedTuple):
    """How a tree is drawn, which stays as it is until there are other rows.

    Attributes:
        links: Gpid and parent's gpid of each row, as they were given.
        shut: The rows whose children are hidden.
        rows: Those that are seen, in their order.
        prefixes: Of each of them.
    """

    links: list[tuple[int, int]]
    shut: set[int]
    rows: list[int]
    prefixes: list[str]


class Arrangement(Sequence[Line]):
    """All lines that are to be seen, in their order.

    Attributes:
        entries: Of each line.
        tree: Where they stand as a tree.
    """

    def __init__(
        self,
        entries: Sequence[Entry] = (),
        tree: Tree | None = None,
        gpids: list[int] | None = None,
    ) -> None:
        self.entries = entries
        self.tree = tree
        self._gpids = gpids

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> list[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | list[Line]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self.entries)))]
        prefix = self.tree.prefixes[index] if self.tree is not None else ""
        return Line(self.entries[index], prefix)

    def __iter__(self) -> Iterator[Line]:
        return map(self.__getitem__, range(len(self.entries)))

    @property
    def gpids(self) -> list[int]:
        """Of each line, which no two have in common."""
        if self._gpids is None:
            self._gpids = list(map(_gpid, self.entries))
        return self._gpids

    def place_of(self, entry: Entry) -> int | None:
        """The index of that very entry; None where it is not seen."""
        return next((index for index, each in enumerate(self.entries) if each is entry), None)


NOTHING: Final = Arrangement()


def arrange(
    entries: Mapping[int, Entry], choice: Choice, before: Arrangement = NOTHING, *, held: bool
) -> Arrangement:
    """All lines that are to be seen.

    Args:
        entries: Of all nodes, by gpid.
        choice: What the person wants.
        before: As they stood.
        held: Whether they keep that order; newcomers then follow them.
    """
    seen = choice.seen(entries.values())
    if choice.tree:
        return _as_tree(_ordered(seen, choice), choice, before.tree)
    if not held:
        return Arrangement(_ordered(seen, choice))
    return _as_before(before, seen, entries, choice)


def _as_before(
    before: Arrangement, seen: list[Entry], entries: Mapping[int, Entry], choice: Choice
) -> Arrangement:
    everything = len(seen) == len(entries)
    shown = entries.keys() if everything else {entry.row.gpid for entry in seen}
    stay = [gpid for gpid in before.gpids if gpid in shown]
    if len(stay) == len(shown):
        return Arrangement([entries[gpid] for gpid in stay], gpids=stay)
    fresh = _ordered([entries[gpid] for gpid in shown - set(stay)], choice)
    return Arrangement([*(entries[gpid] for gpid in stay), *fresh])


def _ordered(entries: list[Entry], choice: Choice) -> list[Entry]:
    """The same list, in order."""
    if choice.tree:  # whose branches would jump about
        entries.sort(key=_gpid)
    else:
        entries.sort(key=COLUMNS[choice.sort].value, reverse=choice.descends)
    if choice.grouped:
        entries.sort(key=attrgetter("node"))
    return entries


def _as_tree(ordered: Sequence[Entry], choice: Choice, before: Tree | None) -> Arrangement:
    rows = [entry.row for entry in ordered]
    links = [(row.gpid, row.parent_gpid or _job_above(row)) for row in rows]
    closed = choice.closed
    shut = {i for i, each in enumerate(ordered) if each.identity in closed} if closed else set()
    tree = before
    if tree is None or tree.links != links or tree.shut != shut:
        tree = _grown(links, shut)
    return Arrangement([ordered[row] for row in tree.rows], tree)


def _job_above(row: ProcessRow) -> int:
    """A process of a job whose parent is not known stands under the job, wherever that runs."""
    return row.job if row.job != row.gpid else 0


def _grown(links: list[tuple[int, int]], shut: set[int]) -> Tree:
    open_rows = forest(links)
    if shut:
        open_rows = list(_without_shut(open_rows, shut))
    rows = [branch.row for branch in open_rows]
    drawn = branches(open_rows)
    prefixes = [
        f"{prefix}+ " if row in shut else prefix for row, prefix in zip(rows, drawn, strict=True)
    ]
    return Tree(links, shut, rows, prefixes)


def _without_shut(grown: Sequence[Branch], shut: set[int]) -> Iterator[Branch]:
    hidden_below: int | None = None
    for branch in grown:
        if hidden_below is not None and branch.depth > hidden_below:
            continue
        hidden_below = branch.depth if branch.row in shut else None
        yield branch
