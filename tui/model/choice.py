"""What the person has chosen to see, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tui.model.columns import COLUMNS
from tui.model.entry import Entry, Identity, is_kernel_thread
from tui.model.query import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """All that decides which processes stand where.

    Attributes:
        sort: Name of a column.
        turned: The other way round than that column sorts by itself.
        users: Only theirs; empty for everyone's.
        nodes: Only on these; empty for all.
        tree: Children below their parents, wherever they run.
        grouped: Node by node.
        closed: Processes whose children are not shown, in the tree.
    """

    sort: str = "cpu"
    turned: bool = False
    query: Query = field(default_factory=Query)
    users: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()
    tree: bool = False
    grouped: bool = False
    kernel_threads: bool = False
    threads: bool = False
    full_paths: bool = True
    merged: bool = False
    wrapped: bool = False
    closed: frozenset[Identity] = frozenset()

    def seen(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those that are to be seen at all. What nobody asked for costs nothing."""
        kernel, threads = self.kernel_threads, self.threads
        seen = [
            entry
            for entry in entries
            if (kernel or entry.row.command or not is_kernel_thread(entry.row))
            and (threads or not entry.row.thread_of)
        ]
        if self.users:
            seen = [entry for entry in seen if entry.row.user in self.users]
        if self.nodes:
            seen = [entry for entry in seen if entry.node in self.nodes]
        for test in self.query.tests:
            seen = [entry for entry in seen if test(entry)]
        return seen

    def sorted_by(self, name: str) -> Choice:
        """By that column, its natural way round; the other way where it was sorted by it before."""
        return replace(self, sort=name, turned=name == self.sort and not self.turned, tree=False)

    @property
    def descends(self) -> bool:
        """Whether the largest stands first."""
        return COLUMNS[self.sort].largest_first != self.turned

    def told(self) -> list[str]:
        """What keeps processes from being seen, in words for a badge each."""
        told = []
        if self.query.text:
            told.append(f"filter: {self.query.text}")
        if self.users:
            told.append(f"user: {','.join(sorted(self.users))}")
        if self.nodes:
            told.append(f"node: {','.join(sorted(self.nodes))}")
        return told
