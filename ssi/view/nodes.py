"""The nodes as people see them: one line each, with how old each line is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ssi.model.node import GpuMetrics, NodeMetrics, NodeRow
from ssi.view.colour import of_state
from ssi.view.jsonview import node_objects
from ssi.view.listing import Field, Listing
from ssi.view.quantity import NONE, age, milliseconds, used_of


def node_listing(rows: Sequence[NodeRow]) -> Listing[NodeRow]:
    """A line for each node, in the order given. What is wrong with one ends its line."""
    return Listing(
        kind="nodes",
        fields=_FIELDS,
        rows=rows,
        objects_of=node_objects,
        name_of=lambda row: row.name,
    )


def _suspicion(row: NodeRow) -> str:
    """``by 2, dead in 1.9s``: how many missed it, and how long it has to refute."""
    if row.suspicion_s is None:
        return ""
    return f"by {row.accusers}, dead in {age(row.suspicion_s)}"


def _clock(row: NodeRow) -> str:
    """``+0.3ms±0.2ms``: how far its clock is ahead of ours, and how right that is."""
    if row.clock_offset_ms is None:
        return NONE
    offset = milliseconds(row.clock_offset_ms, signed=True)
    return offset if not row.clock_error_ms else f"{offset}±{milliseconds(row.clock_error_ms)}"


def _state(row: NodeRow) -> str:
    cordoned = row.metrics is not None and row.metrics.cordoned
    return f"{row.state.value},cordoned" if cordoned else row.state.value


def _told(show: Callable[[NodeMetrics], str]) -> Callable[[NodeRow], str]:
    """A cell from what the node told of itself."""
    return lambda row: NONE if row.metrics is None else show(row.metrics)


def _by(value: Callable[[NodeMetrics], float]) -> Callable[[NodeRow], float]:
    """The order of such cells; nodes that told nothing come first."""
    return lambda row: -1.0 if row.metrics is None else value(row.metrics)


def _metric(
    name: str,
    show: Callable[[NodeMetrics], str],
    value: Callable[[NodeMetrics], float],
    *,
    spare: int = 0,
) -> Field[NodeRow]:
    return Field(name=name, cell=_told(show), order=_by(value), right=True, spare=spare)


def _memory_used(metrics: NodeMetrics) -> int:
    return metrics.memory_total_bytes - metrics.memory_available_bytes


def _swap_used(metrics: NodeMetrics) -> int:
    return metrics.swap_total_bytes - metrics.swap_free_bytes


def _disk_used(metrics: NodeMetrics) -> int:
    return metrics.disk_total_bytes - metrics.disk_free_bytes


def _gpu_text(gpus: Sequence[GpuMetrics]) -> str:
    """``2xNVIDIA A100 37%``: how many, of which kind, and how busy on average."""
    if not gpus:
        return NONE
    kinds = "+".join(
        f"{count}x{name}" if (count := sum(g.name == name for g in gpus)) > 1 else name
        for name in dict.fromkeys(gpu.name for gpu in gpus)
    )
    return f"{kinds} {sum(gpu.utilisation_percent for gpu in gpus) / len(gpus):.0f}%"


_FIELDS: Final[tuple[Field[NodeRow], ...]] = (
    Field(name="name", cell=lambda row: row.name, order=lambda row: row.number),
    Field(name="state", cell=_state, colour=lambda row: of_state(row.state.value)),
    Field(name="address", cell=lambda row: row.address or NONE, spare=3),
    _metric("cores", lambda m: str(m.cores), lambda m: m.cores, spare=4),
    _metric("load", lambda m: f"{m.load[0]:.2f}", lambda m: m.load[0]),
    _metric("mem", lambda m: used_of(_memory_used(m), m.memory_total_bytes), _memory_used),
    _metric("swap", lambda m: used_of(_swap_used(m), m.swap_total_bytes), _swap_used, spare=8),
    _metric("disk", lambda m: used_of(_disk_used(m), m.disk_total_bytes), _disk_used, spare=6),
    Field(name="gpu", cell=_told(lambda m: _gpu_text(m.gpus)), spare=5),
    _metric("jobs", lambda m: str(m.jobs), lambda m: m.jobs, spare=1),
    Field(name="version", cell=lambda row: row.version or NONE, spare=9),
    Field(
        name="rtt",
        cell=lambda row: NONE if row.rtt_ms is None else milliseconds(row.rtt_ms),
        order=lambda row: -1.0 if row.rtt_ms is None else row.rtt_ms,
        right=True,
        spare=2,
    ),
    Field(
        name="clock", cell=_clock, order=lambda row: row.clock_offset_ms or 0.0, right=True, spare=7
    ),
    Field(
        name="incarnation",
        cell=lambda row: str(row.incarnation or NONE),
        order=lambda row: row.incarnation,
        right=True,
        spare=10,
    ),
    Field(name="age", cell=lambda row: age(row.age_s), order=lambda row: row.age_s, right=True),
    Field(name="kernel", cell=_told(lambda m: m.kernel or NONE), wide=True),
    Field(name="arch", cell=_told(lambda m: m.arch or NONE), wide=True),
    Field(name="criu", cell=_told(lambda m: m.criu or NONE), wide=True),
    Field(
        name="processes",
        cell=_told(lambda m: str(m.processes)),
        order=_by(lambda m: m.processes),
        right=True,
        wide=True,
    ),
    Field(name="suspicion", cell=_suspicion, filled=True),
    Field(name="problem", cell=lambda row: row.problem, filled=True),
)
