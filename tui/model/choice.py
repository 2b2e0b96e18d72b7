"""What the person has chosen to see, and in which order."""

from __future__ import annotations

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

    def shows(self, entry: Entry) -> bool:
        """Whether a process is to be seen at all."""
        return (
            (not self.users or entry.row.user in self.users)
            and (not self.nodes or entry.node in self.nodes)
            and (self.kernel_threads or not is_kernel_thread(entry.row))
            and (self.threads or not entry.row.thread_of)
            and self.query.takes(entry)
        )

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
