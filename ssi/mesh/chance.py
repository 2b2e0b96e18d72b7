"""What the mesh needs of ``random.Random``: chance is an argument, as the clock is."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Any, Protocol


class Chance(Protocol):
    """Random choices; ``random.Random`` has them, seeded in a simulation."""

    # Any: random.Random declares itself so.
    def shuffle(self, x: MutableSequence[Any]) -> None:
        """Puts the items in another order, in place."""

    def sample(self, population: Sequence[str], k: int) -> list[str]:
        """So many of them, each at most once."""

    def choice(self, seq: Sequence[str]) -> str:
        """One of them."""

    def randint(self, a: int, b: int) -> int:
        """An integer from ``a`` to ``b``, both included."""

    def uniform(self, a: float, b: float) -> float:
        """A number from ``a`` to ``b``."""
