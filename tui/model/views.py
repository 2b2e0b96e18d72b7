"""The views, and the rows of those that are not of processes. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from ssi.model.job import JobRow, JobState
from ssi.model.node import MeshEvent, NodeRow, NodeState
from ssi.view.jobs import way_of
from ssi.view.quantity import NONE, age, milliseconds, size, used_of
from ssi.view.table import Column
from tui.model.entry import Entry, Target, target_of
from tui.model.listing import Listing, ListRow
from tui.model.meters import Meters
from tui.model.parts import Part, Tone

PROCESSES: Final = "Processes"
TRAFFIC: Final = "I/O"
GPUS: Final = "GPU"
JOBS: Final = "Jobs"
NODES: Final = "Nodes"
EVENTS: Final = "Events"

VIEWS: Final = (PROCESSES, TRAFFIC, GPUS, JOBS, NODES, EVENTS)
"""In the order of Tab."""

OF_PROCESSES: Final = (PROCESSES, TRAFFIC)

_TABS_FROM_WIDTH: Final = 110

_STATE_TONES: Final = {
    NodeState.ALIVE: Tone.PLAIN,
    NodeState.SUSPECT: Tone.WARN,
    NodeState.DEAD: Tone.BAD,
    NodeState.LEFT: Tone.DIM,
}


def _columns(text: str) -> list[Column]:
    """Titles; ``>`` before one puts it on the right."""
    return [Column(title=word.lstrip(">"), right=word.startswith(">")) for word in text.split()]


def listings() -> dict[str, Listing]:
    """The views that are not of processes, empty."""
    return {
        GPUS: Listing(_columns("NODE >NO NAME >USE MEMORY"), "no node has a GPU that it can read"),
        JOBS: Listing(
            _columns(">JOB NODE USER STATE >AGE >PROCS WAY COMMAND"), "there is no job of yours"
        ),
        NODES: Listing(
            _columns(
                "NODE STATE >CORES >CPU >LOAD >MEM >SWAP >DISK >JOBS >PROCS >RTT VERSION >AGE NOTE"
            ),
            "there is no node",
        ),
        EVENTS: Listing(_columns("TIME WHO WHAT"), "nothing has happened yet", from_end=True),
    }


def tabs(view: str, columns: int) -> list[Part]:
    """The names of the views, where there is room; else that of this one."""
    if columns < _TABS_FROM_WIDTH:
        return [Part(f" {view} ", Tone.SORTED), Part(" ")]
    return [
        part
        for name in VIEWS
        for part in (Part(f" {name} ", Tone.SORTED if name == view else Tone.DIM), Part(" "))
    ]


def job_rows(jobs: Iterable[JobRow], now_s: float) -> list[ListRow]:
    """All jobs, the newest first."""
    ordered = sorted(jobs, key=lambda job: -job.start_ms)
    return [
        ListRow(
            key=job.gpid,
            cells=(
                str(job.gpid),
                job.node,
                job.user,
                _job_state(job),
                age(now_s - job.start_ms / 1000),
                str(job.processes),
                way_of(job.nodes),
                shlex.join(job.argv) + (f"  ({job.problem})" if job.problem else ""),
            ),
            tone=_job_tone(job),
            target=Target(
                job.node,
                job.gpid,
                job.start_ms,
                job.gpid,
                job.user,
                job.argv[0] if job.argv else "",
            ),
            node=job.node,
        )
        for job in ordered
    ]


def node_rows(nodes: Sequence[NodeRow], meters: Mapping[str, Meters]) -> list[ListRow]:
    """All nodes, in the order of the roster."""
    return [
        ListRow(
            key=row.name,
            cells=(row.name, row.state.value, *_fares(row, meters.get(row.name))),
            tone=_STATE_TONES[row.state],
            node=row.name,
        )
        for row in nodes
    ]


def gpu_rows(nodes: Sequence[NodeRow], entries: Iterable[Entry] = ()) -> list[ListRow]:
    """Each GPU of each node, and below them the processes that use any, the busiest first."""
    users = [entry for entry in entries if entry.gpu_percent or entry.gpu_bytes]
    users.sort(key=lambda entry: (-entry.gpu_percent, -entry.gpu_bytes, entry.row.gpid))
    return [*_devices(nodes), *map(_gpu_user, users)]


def _gpu_user(entry: Entry) -> ListRow:
    return ListRow(
        key=entry.identity,
        cells=(
            entry.node,
            str(entry.row.gpid),
            f"{entry.row.name} of {entry.row.user}",
            f"{entry.gpu_percent:.0f}%",
            size(entry.gpu_bytes),
        ),
        target=target_of(entry),
        node=entry.node,
    )


def _devices(nodes: Sequence[NodeRow]) -> list[ListRow]:
    return [
        ListRow(
            key=(row.name, number),
            cells=(
                row.name,
                str(number),
                gpu.name,
                f"{gpu.utilisation_percent:.0f}%",
                used_of(gpu.memory_used_bytes, gpu.memory_total_bytes),
            ),
            node=row.name,
        )
        for row in nodes
        if row.metrics is not None
        for number, gpu in enumerate(row.metrics.gpus)
    ]


def event_rows(events: Iterable[MeshEvent], deeds: Iterable[tuple[float, str]]) -> list[ListRow]:
    """What happened to the nodes and what was done from here, oldest first."""
    told = [
        (event.at_s, event.node, f"{event.kind}{f' (told by {event.by})' if event.by else ''}")
        for event in events
    ]
    told += [(at_s, "here", text) for at_s, text in deeds]
    return [
        ListRow(
            key=(at_s, who, what),
            cells=(f"{datetime.fromtimestamp(at_s).astimezone():%m-%d %H:%M:%S}", who, what),
            tone=Tone.BAD if what.startswith("died") else Tone.PLAIN,
        )
        for at_s, who, what in sorted(told)
    ]


def _fares(row: NodeRow, meters: Meters | None) -> tuple[str, ...]:
    metrics = row.metrics
    if metrics is None:
        return (*((NONE,) * 11), row.problem)
    memory = metrics.memory_total_bytes - metrics.memory_available_bytes
    notes = ["cordoned"] if metrics.cordoned else []
    notes += [row.problem] if row.problem else []
    return (
        str(metrics.cores),
        NONE if meters is None else f"{meters.cpu_percent:.0f}%",
        f"{metrics.load[0]:.2f}",
        used_of(memory, metrics.memory_total_bytes),
        size(metrics.swap_total_bytes - metrics.swap_free_bytes),
        used_of(metrics.disk_total_bytes - metrics.disk_free_bytes, metrics.disk_total_bytes),
        str(metrics.jobs),
        str(metrics.processes),
        NONE if row.rtt_ms is None else milliseconds(row.rtt_ms),
        row.version or NONE,
        age(row.age_s),
        ", ".join([*notes, *metrics.lacks]),
    )


def _job_state(job: JobRow) -> str:
    return f"exited({job.exit_status})" if job.state is JobState.EXITED else job.state.value


def _job_tone(job: JobRow) -> Tone:
    if job.state is JobState.LOST or job.problem:
        return Tone.BAD
    return Tone.DIM if job.state is JobState.EXITED else Tone.PLAIN
