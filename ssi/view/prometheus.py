"""Nodes and jobs in the text format of Prometheus.

Source: prometheus.io, "Exposition formats" (text format 0.0.4) and "Metric and label naming".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ssi.model.job import JobRow, JobState
from ssi.model.node import NodeMetrics, NodeRow, NodeState

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels: TypeAlias = tuple[tuple[str, str], ...]
Sample: TypeAlias = tuple[Labels, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Samples of one name. All are gauges: counters would begin anew with each agent."""

    name: str
    about: str
    samples: Callable[[NodeRow], Iterable[Sample]]


def render(rows: Sequence[NodeRow], jobs: Sequence[JobRow]) -> str:
    """What a scrape gets.

    Args:
        rows: All nodes, as the asked agent sees them.
        jobs: Those of the nodes that answered.
    """
    parts = [
        _block(each.name, each.about, (sample for row in rows for sample in each.samples(row)))
        for each in FAMILIES
    ]
    return "".join([*parts, _block(*JOBS, _jobs(jobs))])


def _block(name: str, about: str, samples: Iterable[Sample]) -> str:
    lines = [f"{name}{_labels(labels)} {_number(value)}\n" for labels, value in samples]
    return f"# HELP {name} {about}\n# TYPE {name} gauge\n{''.join(lines)}"


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(float(value)).removesuffix(".0")


def _jobs(jobs: Sequence[JobRow]) -> Iterator[Sample]:
    """How many jobs are in each state; those that have ended are history."""
    living = [job for job in jobs if job.state is not JobState.EXITED]
    counts = Counter((job.node, job.state.value) for job in living)
    for (node, state), count in sorted(counts.items()):
        yield (("node", node), ("state", state)), count


def _told(value: Callable[[NodeMetrics], float]) -> Callable[[NodeRow], Iterator[Sample]]:
    """A sample of each node that told how it fares."""

    def samples(row: NodeRow) -> Iterator[Sample]:
        if row.metrics is not None:
            yield (("node", row.name),), value(row.metrics)

    return samples


def _seen(value: Callable[[NodeRow], float | None]) -> Callable[[NodeRow], Iterator[Sample]]:
    """A sample of each node of which something is known."""

    def samples(row: NodeRow) -> Iterator[Sample]:
        found = value(row)
        if found is not None:
            yield (("node", row.name),), found

    return samples


def _states(row: NodeRow) -> Iterator[Sample]:
    for state in NodeState:
        yield (("node", row.name), ("state", state.value)), float(row.state is state)


def _info(row: NodeRow) -> Iterator[Sample]:
    kernel = row.metrics.kernel if row.metrics is not None else ""
    labels = {"node": row.name, "number": str(row.number), "address": row.address}
    yield (*labels.items(), ("version", row.version), ("kernel", kernel)), 1.0


def _load(row: NodeRow) -> Iterator[Sample]:
    if row.metrics is not None:
        for minutes, value in zip(("1", "5", "15"), row.metrics.load, strict=True):
            yield (("node", row.name), ("minutes", minutes)), value


def _gpus(share: Callable[[float, int, int], float]) -> Callable[[NodeRow], Iterator[Sample]]:
    """A sample of each GPU, from its use in percent and its memory used and in all."""

    def samples(row: NodeRow) -> Iterator[Sample]:
        for index, gpu in enumerate(row.metrics.gpus if row.metrics is not None else ()):
            labels = (("node", row.name), ("gpu", str(index)), ("name", gpu.name))
            yield (
                labels,
                share(gpu.utilisation_percent, gpu.memory_used_bytes, gpu.memory_total_bytes),
            )

    return samples


JOBS: Final = ("ssi_jobs", "Jobs that have not ended, by node and state.")

FAMILIES: Final = tuple(
    Family(name=f"ssi_{name}", about=about, samples=samples)
    for name, about, samples in (
        ("node_state", "1 for the state that a node is in, 0 for the others.", _states),
        ("node_info", "Always 1; what a node is, in labels.", _info),
        ("node_age_seconds", "Since the node was heard last.", _seen(lambda row: row.age_s)),
        (
            "node_rtt_seconds",
            "Round trip of the last probe.",
            _seen(lambda row: None if row.rtt_ms is None else row.rtt_ms / 1000),
        ),
        (
            "node_clock_offset_seconds",
            "The node's wall clock minus that of the agent that was asked.",
            _seen(lambda row: None if row.clock_offset_ms is None else row.clock_offset_ms / 1000),
        ),
        (
            "node_cordoned",
            "1 where nothing is placed unless the node is named.",
            _told(lambda metrics: metrics.cordoned),
        ),
        ("node_uptime_seconds", "Since it booted.", _told(lambda metrics: metrics.uptime_s)),
        ("node_cores", "Of its processors.", _told(lambda metrics: metrics.cores)),
        ("node_load", "Average length of the run queue.", _load),
        ("node_processes", "All of the machine.", _told(lambda metrics: metrics.processes)),
        (
            "node_memory_total_bytes",
            "Of the machine.",
            _told(lambda metrics: metrics.memory_total_bytes),
        ),
        (
            "node_memory_available_bytes",
            "As MemAvailable of proc(5).",
            _told(lambda metrics: metrics.memory_available_bytes),
        ),
        ("node_swap_total_bytes", "All swap.", _told(lambda metrics: metrics.swap_total_bytes)),
        ("node_swap_free_bytes", "Unused swap.", _told(lambda metrics: metrics.swap_free_bytes)),
        (
            "node_disk_total_bytes",
            "Of the file system of /.",
            _told(lambda metrics: metrics.disk_total_bytes),
        ),
        (
            "node_disk_free_bytes",
            "Free there for ordinary users.",
            _told(lambda metrics: metrics.disk_free_bytes),
        ),
        (
            "gpu_utilisation_ratio",
            "Of each GPU, 0 to 1.",
            _gpus(lambda percent, _used, _total: percent / 100),
        ),
        (
            "gpu_memory_used_bytes",
            "Of each GPU.",
            _gpus(lambda _percent, used, _total: float(used)),
        ),
        (
            "gpu_memory_total_bytes",
            "Of each GPU.",
            _gpus(lambda _percent, _used, total: float(total)),
        ),
    )
)
