"""A forest from names of parents: who hangs below whom, and the lines that show it.

The names come from many machines and may be anything: a parent that is missing, or a ring of
parents. Each row is shown once all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Branch(NamedTuple):
    """A row where it stands in a forest.

    Attributes:
        row: Its number among those that were given, from 0.
        depth: 0 for a root.
        last: No sister follows.
    """

    row: int
    depth: int
    last: bool


def forest(links: Sequence[tuple[int, int]]) -> list[Branch]:
    """All rows in the order of a tree: parents before their children, sisters as they were given.

    Args:
        links: Name and parent's name of each row. One without its parent here is a root.
    """
    known = {name for name, _ in links}
    children: dict[int, list[int]] = {}
    roots: list[int] = []
    for index, (name, parent) in enumerate(links):
        if parent in known and parent != name:
            children.setdefault(parent, []).append(index)
        else:
            roots.append(index)
    ordered: list[Branch] = []
    seen: set[int] = set()
    for root in (*roots, *range(len(links))):  # the second part reaches who is in a ring
        if root not in seen:
            _grow(root, links, children, seen, ordered)
    return ordered


def branches(forest_rows: Sequence[Branch]) -> list[str]:
    r"""What stands before each row, as `ps f` draws it: `` \_ `` at the end of its branch."""
    drawn: list[str] = []
    open_branches: list[bool] = []  # by depth: whether a sister follows further down
    for branch in forest_rows:
        if not branch.depth:
            open_branches = []
            drawn.append("")
            continue
        del open_branches[branch.depth - 1 :]
        drawn.append("".join(" |  " if more else "    " for more in open_branches) + r" \_ ")
        open_branches.append(not branch.last)
    return drawn


def _grow(
    root: int,
    links: Sequence[tuple[int, int]],
    children: dict[int, list[int]],
    seen: set[int],
    ordered: list[Branch],
) -> None:
    """Adds a tree to ``ordered``. A loop and not a recursion: a chain may be 10,000 deep."""
    waiting = [Branch(root, 0, last=True)]
    while waiting:
        branch = waiting.pop()
        if branch.row in seen:
            continue
        seen.add(branch.row)
        ordered.append(branch)
        # Two rows of one name are possible while a job moves; its children hang below the first.
        below = children.pop(links[branch.row][0], None)
        if below is not None:
            depth = branch.depth + 1
            waiting.append(Branch(below.pop(), depth, True))
            waiting += [Branch(child, depth, False) for child in reversed(below)]
