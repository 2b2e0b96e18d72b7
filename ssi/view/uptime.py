"""How long each node is up and how busy it is, and the system as a whole, as uptime(1) has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ssi.model.node import NodeRow
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Listing
from ssi.view.memory import ALL
from ssi.view.quantity import time_up


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


def uptime_listing(uptimes: Sequence[Uptime]) -> Listing[Uptime]:
    """A line for each, and the sum below."""
    return Listing(
        kind="uptime",
        fields=_FIELDS,
        rows=uptimes,
        objects_of=uptime_objects,
        name_of=lambda u: u.node,
        last=[uptime_sum(uptimes)],
    )


def uptime_objects(uptimes: Sequence[Uptime]) -> list[JsonObject]:
    """As ``ssi uptime --json`` shows them; the sum's node is ``all``."""
    return [
        {
            "node": u.node,
            "up_s": round(u.up_s, 1),
            "load": u.load,
            "cores": u.cores,
            "processes": u.processes,
            "jobs": u.jobs,
        }
        for u in uptimes
    ]


def _number(
    name: str, value: Callable[[Uptime], float], show: Callable[[float], str] = str
) -> Field[Uptime]:
    return Field(name=name, cell=lambda u: show(value(u)), order=value, right=True)


def _load(name: str, index: int) -> Field[Uptime]:
    return _number(name, lambda u: u.load[index], lambda value: f"{value:.2f}")


_FIELDS: Final[tuple[Field[Uptime], ...]] = (
    Field(name="node", cell=lambda u: u.node),
    _number("up", lambda u: u.up_s, time_up),
    _load("load1", 0),
    _load("load5", 1),
    _load("load15", 2),
    _number("cores", lambda u: u.cores),
    _number("processes", lambda u: u.processes),
    _number("jobs", lambda u: u.jobs),
)
