"""Rows that tests of views share."""

from __future__ import annotations

import msgspec

from ssi.model.node import GpuMetrics, NodeMetrics, NodeRow, NodeState
from ssi.model.process import ProcessRow

NOON_S = 1_767_268_800.0
"""1 January 2026, 12:00 UTC."""

PROCESS = ProcessRow(
    gpid=10000042,
    pid=42,
    parent_gpid=10000001,
    start_ms=5120,
    started_at_s=NOON_S - 3600,
    user="ada",
    state="S",
    nice=0,
    threads=2,
    tty="pts/3",
    cpu_s=187.0,
    cpu_percent=5.2,
    rss_bytes=10 << 20,
    vsize_bytes=100 << 20,
    name="xz",
    command=("xz", "-9", "big file"),
    session_gpid=10000042,
    group_gpid=10000042,
)

METRICS = NodeMetrics(
    taken_at_s=NOON_S,
    uptime_s=97_440.0,
    cores=4,
    load=(1.5, 0.75, 0.25),
    memory_total_bytes=8 << 30,
    memory_available_bytes=6 << 30,
    swap_total_bytes=2 << 30,
    swap_free_bytes=1 << 30,
    disk_total_bytes=100 << 30,
    disk_free_bytes=40 << 30,
    processes=60,
    jobs=2,
    kernel="6.18.0",
    arch="x86_64",
    criu="4.2.1",
)

GPU = GpuMetrics(
    name="NVIDIA A100",
    utilisation_percent=30.0,
    memory_used_bytes=1 << 30,
    memory_total_bytes=40 << 30,
)

NODE = NodeRow(
    name="n1",
    number=1,
    address="10.99.0.11",
    state=NodeState.ALIVE,
    age_s=0.31,
    rtt_ms=0.42,
    clock_offset_ms=-1.5,
    metrics=METRICS,
    version="0.1.0",
)


def process(**changes: object) -> ProcessRow:
    """The sample with some fields changed."""
    return msgspec.structs.replace(PROCESS, **changes)


def node(**changes: object) -> NodeRow:
    """The sample with some fields changed."""
    return msgspec.structs.replace(NODE, **changes)
