"""How long each node is up and how busy it is, and the system as a whole, as uptime(1) has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ssi.model.node import NodeRow
from ssi.view.jsonview import JsonObject
from ssi.view.memory import ALL
from ssi.view.quantity import time_up
from ssi.view.table import Column, render_table

_COLUMNS: Final = (
    Column(title="NODE"),
    Column(title="UP", right=True),
    *(
        Column(title=title, right=True)
        for title in ("LOAD1", "LOAD5", "LOAD15", "CORES", "PROCESSES", "JOBS")
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptime:
    """How a node fares, or all of them.

    Attributes:
        up_s: Since its boot; of all: since the boot of the one that has been up longest.
        load: Averages over 1, 5 and 15 minutes; of all: their sums, to be compared with all cores.
    """

    node: str
    up_s: float
    load: tuple[float, float, float]
    cores: int
    processes: int
    jobs: int


def uptimes_of(rows: Sequence[NodeRow]) -> list[Uptime]:
    """Of each node that told."""
    return [
        Uptime(
            node=row.name,
            up_s=row.metrics.uptime_s,
            load=row.metrics.load,
            cores=row.metrics.cores,
            processes=row.metrics.processes,
            jobs=row.metrics.jobs,
        )
        for row in rows
        if row.metrics is not None
    ]


def uptime_sum(uptimes: Sequence[Uptime]) -> Uptime:
    """All together, under the name ``all``."""
    one, five, fifteen = (sum(u.load[index] for u in uptimes) for index in range(3))
    return Uptime(
        node=ALL,
        up_s=max((u.up_s for u in uptimes), default=0.0),
        load=(one, five, fifteen),
        cores=sum(u.cores for u in uptimes),
        processes=sum(u.processes for u in uptimes),
        jobs=sum(u.jobs for u in uptimes),
    )


def render_uptimes(
    uptimes: Sequence[Uptime], *, width_cells: int | None = None, headers: bool = True
) -> str:
    """A line for each, and the sum below."""
    cells = [
        (
            u.node,
            time_up(u.up_s),
            *(f"{load:.2f}" for load in u.load),
            str(u.cores),
            str(u.processes),
            str(u.jobs),
        )
        for u in (*uptimes, uptime_sum(uptimes))
    ]
    return render_table(_COLUMNS, cells, width_cells=width_cells, headers=headers)


def uptime_objects(uptimes: Sequence[Uptime]) -> list[JsonObject]:
    """As ``ssi uptime --json`` shows them: each node, then the sum under ``all``."""
    return [
        {
            "node": u.node,
            "up_s": round(u.up_s, 1),
            "load": u.load,
            "cores": u.cores,
            "processes": u.processes,
            "jobs": u.jobs,
        }
        for u in (*uptimes, uptime_sum(uptimes))
    ]
