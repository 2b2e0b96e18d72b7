"""A suspicion: it lasts long while one member alone has it, and shorter the more confirm it.

Source: Lifeguard, section IV.B (LHA-Suspicion).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Suspicion:
    """That a member is dead, until it refutes or the time is up.

    Attributes:
        began_s: When this member came to have it.
        shortest_s: How long it lasts with all confirmations.
        longest_s: How long it lasts with none.
        wanted: Confirmations after which it lasts no longer than the shortest.
        accusers: Who has it, the first one included.
    """

    began_s: float
    shortest_s: float
    longest_s: float
    wanted: int
    accusers: set[str] = field(default_factory=set)
    _lasts_s: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._lasts_s = self._formula_s()

    def confirm(self, accuser: str) -> bool:
        """Whether this accuser is new, and one of the confirmations that are still wanted."""
        if accuser in self.accusers or len(self.accusers) > self.wanted:
            return False
        self.accusers.add(accuser)
        self._lasts_s = self._formula_s()
        return True

    @property
    def ends_s(self) -> float:
        """When the suspect is believed dead, unless it refutes."""
        return self.began_s + self._lasts_s

    def _formula_s(self) -> float:
        confirmations = max(len(self.accusers) - 1, 0)
        return suspicion_s(confirmations, self.wanted, self.shortest_s, self.longest_s)


def suspicion_s(confirmations: int, wanted: int, shortest_s: float, longest_s: float) -> float:
    """How long a suspicion lasts. Source: Lifeguard, section IV.B, the formula."""
    if wanted < 1:
        return shortest_s
    shrunk = math.log(confirmations + 1) / math.log(wanted + 1)
    return max(shortest_s, longest_s - (longest_s - shortest_s) * shrunk)
