"""The nodes as people see them: one line each, with how old each line is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ssi.model.node import GpuMetrics, NodeMetrics, NodeRow
from ssi.view.quantity import NONE, age, milliseconds, used_of
from ssi.view.table import Column, render_table

_COLUMNS: Final = (
    Column(title="NAME"),
    Column(title="STATE"),
    Column(title="ADDRESS"),
    Column(title="CORES", right=True),
    Column(title="LOAD", right=True),
    Column(title="MEM", right=True),
    Column(title="SWAP", right=True),
    Column(title="DISK", right=True),
    Column(title="GPU"),
    Column(title="JOBS", right=True),
    Column(title="VERSION"),
    Column(title="RTT", right=True),
    Column(title="CLOCK", right=True),
    Column(title="INCARNATION", right=True),
    Column(title="AGE", right=True),
)


def render_nodes(
    rows: Sequence[NodeRow], *, width_cells: int | None = None, headers: bool = True
) -> str:
    """A line for each node, in the order given. What is wrong with one ends its line."""
    columns, cells = list(_COLUMNS), [list(_cells(row)) for row in rows]
    for title, told in (
        ("SUSPICION", [_suspicion(row) for row in rows]),
        ("PROBLEM", [row.problem for row in rows]),
    ):
        if any(told):
            columns.append(Column(title=title))
            for line, text in zip(cells, told, strict=True):
                line.append(text)
    return render_table(columns, cells, width_cells=width_cells, headers=headers)


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


def _cells(row: NodeRow) -> tuple[str, ...]:
    return (
        row.name,
        _state(row),
        row.address or NONE,
        *(_metric_cells(row.metrics) if row.metrics is not None else (NONE,) * 7),
        row.version or NONE,
        NONE if row.rtt_ms is None else milliseconds(row.rtt_ms),
        _clock(row),
        str(row.incarnation or NONE),
        age(row.age_s),
    )


def _state(row: NodeRow) -> str:
    cordoned = row.metrics is not None and row.metrics.cordoned
    return f"{row.state.value},cordoned" if cordoned else row.state.value


def _metric_cells(metrics: NodeMetrics) -> tuple[str, ...]:
    memory_used = metrics.memory_total_bytes - metrics.memory_available_bytes
    swap_used = metrics.swap_total_bytes - metrics.swap_free_bytes
    disk_used = metrics.disk_total_bytes - metrics.disk_free_bytes
    return (
        str(metrics.cores),
        f"{metrics.load[0]:.2f}",
        used_of(memory_used, metrics.memory_total_bytes),
        used_of(swap_used, metrics.swap_total_bytes),
        used_of(disk_used, metrics.disk_total_bytes),
        _gpu_text(metrics.gpus),
        str(metrics.jobs),
    )


def _gpu_text(gpus: Sequence[GpuMetrics]) -> str:
    """``2xNVIDIA A100 37%``: how many, of which kind, and how busy on average."""
    if not gpus:
        return NONE
    kinds = "+".join(
        f"{count}x{name}" if (count := sum(g.name == name for g in gpus)) > 1 else name
        for name in dict.fromkeys(gpu.name for gpu in gpus)
    )
    return f"{kinds} {sum(gpu.utilisation_percent for gpu in gpus) / len(gpus):.0f}%"
