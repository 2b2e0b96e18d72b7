"""Jobs that were lately sent to nodes: counted until the nodes' own metrics must know of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

KNOWN_AFTER_S: Final = 3.0
"""A node tells its metrics each second, and reads them at most a second before."""


class Arrivals:
    """So that jobs which are placed at once do not all go to the node that looked best."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._landed: list[tuple[float, str]] = []

    def sent(self, node: str) -> None:
        """A job begins to move there."""
        self._under_way[node] += 1

    def landed(self, node: str, now_s: float) -> None:
        """It has arrived; the node does not tell yet."""
        self._under_way[node] -= 1
        self._landed.append((now_s, node))

    def failed(self, node: str) -> None:
        """It did not come."""
        self._under_way[node] -= 1

    def coming(self, now_s: float) -> Mapping[str, int]:
        """By node, how many to count beside its metrics."""
        self._landed = [each for each in self._landed if now_s - each[0] < KNOWN_AFTER_S]
        counts = self._under_way + Counter(node for _at_s, node in self._landed)
        return {node: count for node, count in counts.items() if count > 0}
