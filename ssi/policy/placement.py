"""Which node suits a job best, and why the others do not."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ssi.model.node import NodeRow, NodeState


class Shuffler(Protocol):
    """What a policy needs of ``random.Random``: chance is an argument, as the clock is."""

    def shuffle(self, x: MutableSequence[Any], /) -> None:
        """Puts the items in another order, in place."""  # Any: as random.Random has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A node with its score.

    Attributes:
        score: Lower is better: expected runnable tasks per core.
        reasons: What made the score, for a person to read.
    """

    node: str
    score: float
    reasons: tuple[str, ...]


MEMORY_WANTED_SHARE = 0.05
"""A node with less of its memory available than this is only taken where no other is left."""


def suggest(snapshot: Sequence[NodeRow], random: Shuffler) -> list[Suggestion]:
    """Nodes that live, best first; equal ones in random order, so that askers spread.

    The load average lags by a minute, so jobs that ssi started lately are counted beside it.
    """
    suggestions = [
        _score(row) for row in snapshot if row.state is NodeState.ALIVE and row.metrics is not None
    ]
    random.shuffle(suggestions)
    return sorted(suggestions, key=lambda suggestion: round(suggestion.score, 1))


def _score(row: NodeRow) -> Suggestion:
    metrics = row.metrics
    assert metrics is not None
    busy = max(metrics.load[0], float(metrics.jobs))
    score = busy / max(metrics.cores, 1)
    reasons = [f"load {metrics.load[0]:.2f}, {metrics.jobs} jobs on {metrics.cores} cores"]
    available = metrics.memory_available_bytes / max(metrics.memory_total_bytes, 1)
    if available < MEMORY_WANTED_SHARE:
        score += 1000.0
        reasons.append(f"only {available:.0%} of its memory is available")
    return Suggestion(node=row.name, score=score, reasons=tuple(reasons))
