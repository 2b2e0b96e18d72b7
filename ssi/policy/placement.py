"""Which node suits a job best, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ssi.model.node import NodeMetrics, NodeRow, NodeState


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A node that cannot have the job, and why."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """All nodes judged: those that would do, best first, and the others."""

    suggestions: tuple[Suggestion, ...]
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be placed.

    Attributes:
        source: The node that has the job, which then moves; empty for a new one.
        memory_bytes: That it takes already.
        coming: Jobs lately sent to each node, of which its metrics may not know yet.
    """

    source: str = ""
    memory_bytes: int = 0
    coming: Mapping[str, int] = field(default_factory=dict)


MEMORY_WANTED_SHARE = 0.05
"""A node with less of its memory available than this is only taken where no other is left."""


def suggest(snapshot: Sequence[NodeRow], random: Shuffler) -> list[Suggestion]:
    """Nodes that can take a new job, best first."""
    return list(place(snapshot, Wish(), random).suggestions)


def place(snapshot: Sequence[NodeRow], wish: Wish, random: Shuffler) -> Placement:
    """Judges every node; equal ones come in random order, so that askers spread.

    The load average lags by a minute, so jobs that ssi started lately are counted beside it.
    """
    source = next((row for row in snapshot if row.name == wish.source), None)
    suggestions: list[Suggestion] = []
    rejections: list[Rejection] = []
    for row in snapshot:
        reason = _rejection(row, wish, source.metrics if source is not None else None)
        if reason or row.metrics is None:
            rejections.append(Rejection(node=row.name, reason=reason))
        else:
            suggestions.append(_score(row.name, row.metrics, wish))
    random.shuffle(suggestions)
    suggestions.sort(key=lambda suggestion: round(suggestion.score, 1))
    return Placement(suggestions=tuple(suggestions), rejections=tuple(rejections))


def _rejection(row: NodeRow, wish: Wish, source: NodeMetrics | None) -> str:
    """Why a node is out of the question; empty where it is not."""
    metrics = row.metrics
    if row.name == wish.source:
        return "it is there already"
    if row.state is not NodeState.ALIVE:
        return f"it is {row.state.value}"
    if metrics is None:
        return "it has not told how it fares"
    if metrics.cordoned:
        return "it is cordoned"
    return _move_rejection(metrics, wish, source) if wish.source else ""


def _move_rejection(metrics: NodeMetrics, wish: Wish, source: NodeMetrics | None) -> str:
    """Why no job of that source can move there, as far as metrics tell."""
    lacking = next((lack for lack in metrics.lacks if lack.startswith("migrate:")), "")
    if lacking:
        return lacking.removeprefix("migrate:").strip()
    if source is not None and metrics.arch != source.arch:
        return f"its processor is {metrics.arch}, that of {wish.source} {source.arch}"
    if source is not None and metrics.criu != source.criu:
        return f"criu is {metrics.criu} there and {source.criu} on {wish.source}"
    if wish.memory_bytes > metrics.memory_available_bytes:
        mib = metrics.memory_available_bytes // 1024 // 1024
        return f"it has {mib} MiB of memory left, the job takes {wish.memory_bytes // 1024 // 1024}"
    return ""


def _score(node: str, metrics: NodeMetrics, wish: Wish) -> Suggestion:
    coming = wish.coming.get(node, 0)
    busy = max(metrics.load[0], float(metrics.jobs)) + coming
    score = busy / max(metrics.cores, 1)
    jobs = "job" if metrics.jobs == 1 else "jobs"
    reasons = [f"load {metrics.load[0]:.2f}, {metrics.jobs} {jobs} on {metrics.cores} cores"]
    if coming:
        reasons.append(f"{coming} more on their way there")
    available = metrics.memory_available_bytes / max(metrics.memory_total_bytes, 1)
    if available < MEMORY_WANTED_SHARE:
        score += 1000.0
        reasons.append(f"only {available:.0%} of its memory is available")
    return Suggestion(node=node, score=score, reasons=tuple(reasons))
