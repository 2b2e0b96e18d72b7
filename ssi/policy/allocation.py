"""Which nodes get the tasks of a job that asks for several, as Slurm's users ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssi.model.node import NodeMetrics, NodeRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked for.

    Attributes:
        tasks: How many processes; None for one on each node.
        nodes: On how many nodes; None for as few as it takes.
        cores: Of each task. They are counted, and nobody else is kept off them.
        memory_bytes: That each node must have available.
        gpus: That each node must have.
    """

    tasks: int | None = None
    nodes: int | None = None
    cores: int = 1
    memory_bytes: int = 0
    gpus: int = 0

    @property
    def all_tasks(self) -> int:
        """How many processes there are to be."""
        return self.tasks or self.nodes or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The tasks of one node.

    Attributes:
        first: Number of the first of them, from 0.
    """

    node: str
    first: int
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Who gets what; where it does not fit, nobody gets anything.

    Attributes:
        refusal: Why it does not fit; empty where it does.
    """

    shares: tuple[Share, ...] = ()
    refusal: str = ""


def allocate(candidates: Sequence[NodeRow], demand: Demand) -> Allocation:
    """Spreads tasks over nodes, over as few of them as it takes unless a number is asked for.

    Args:
        candidates: Nodes that may be taken, best first.
        demand: What is asked for.
    """
    room = {row.name: _room(row, demand) for row in candidates}
    able = [name for name, (tasks, _) in room.items() if tasks]
    wanted = demand.all_tasks
    if demand.nodes is not None:
        if demand.nodes > wanted:
            return Allocation(refusal=f"{wanted} tasks cannot be on {demand.nodes} nodes")
        if demand.nodes > len(able):
            return Allocation(refusal=_told(f"{demand.nodes} nodes are asked for", room))
        able = able[: demand.nodes]
    if sum(room[name][0] for name in able) < wanted:
        return Allocation(refusal=_told(f"{wanted} tasks of {demand.cores} cores", room))
    counts = _evenly(able, room, wanted) if demand.nodes else _packed(able, room, wanted)
    shares, first = [], 0
    for name, count in counts.items():
        shares.append(Share(node=name, first=first, tasks=count))
        first += count
    return Allocation(shares=tuple(shares))


def _room(row: NodeRow, demand: Demand) -> tuple[int, str]:
    """How many tasks a node can take, and what keeps it from taking any."""
    metrics = row.metrics
    if metrics is None:
        return 0, "it has not told how it fares"
    if metrics.memory_available_bytes < demand.memory_bytes:
        return 0, f"it has {metrics.memory_available_bytes // 1024**2} MiB available"
    if len(metrics.gpus) < demand.gpus:
        return 0, f"it has {len(metrics.gpus)} GPUs"
    return _by_cores(metrics, demand)


def _by_cores(metrics: NodeMetrics, demand: Demand) -> tuple[int, str]:
    tasks = metrics.cores // demand.cores
    return tasks, "" if tasks else f"it has {metrics.cores} cores"


def _packed(able: Sequence[str], room: dict[str, tuple[int, str]], wanted: int) -> dict[str, int]:
    counts = {}
    for name in able:
        if wanted:
            counts[name] = min(room[name][0], wanted)
            wanted -= counts[name]
    return counts


def _evenly(able: Sequence[str], room: dict[str, tuple[int, str]], wanted: int) -> dict[str, int]:
    """One more for each in turn, as long as they have room; there is enough in all."""
    counts = dict.fromkeys(able, 0)
    while wanted:
        for name in able:
            if wanted and counts[name] < room[name][0]:
                counts[name] += 1
                wanted -= 1
    return counts


def _told(what: str, room: dict[str, tuple[int, str]]) -> str:
    each = "; ".join(
        f"{name}: {reason or f'room for {tasks}'}" for name, (tasks, reason) in room.items()
    )
    return f"{what}, and there is no queue to wait in ({each or 'no node is left'})"
