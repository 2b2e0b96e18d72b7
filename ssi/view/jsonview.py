"""Rows as JSON: the schema that ``docs/json.md`` promises. Names stay; new ones may be added.

The text is ASCII without control characters, whatever the rows hold: a terminal may show it, and a
parser gets every character back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from ssi.model.node import MeshEvent, NodeMetrics, NodeRow
from ssi.view.columns import Placed, command_text, memory_percent

JsonValue: TypeAlias = (
    str | int | float | bool | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
)
JsonObject: TypeAlias = dict[str, JsonValue]


def render_json(objects: Sequence[JsonObject]) -> str:
    """A list of objects, one to a line."""
    if not objects:
        return "[]\n"
    return "[\n" + ",\n".join(map(_encode, objects)) + "\n]\n"


def render_json_line(objects: Sequence[JsonObject]) -> str:
    """The same list in one line, for ``--watch``: one line for each look."""
    return "[" + ", ".join(map(_encode, objects)) + "]\n"


def render_lines(objects: Iterable[JsonObject]) -> str:
    """Each object in a line of its own, for ``-o jsonl``."""
    return "".join(f"{_encode(each)}\n" for each in objects)


def process_objects(placed: Iterable[Placed]) -> list[JsonObject]:
    """Processes, as ``ssi ps --json`` shows them."""
    return [_process(p) for p in placed]


def node_objects(rows: Iterable[NodeRow]) -> list[JsonObject]:
    """Nodes, as ``ssi nodes --json`` shows them."""
    return [
        {
            "name": row.name,
            "number": row.number,
            "state": row.state.value,
            "address": row.address,
            "age_s": _finite(row.age_s),
            "rtt_ms": row.rtt_ms,
            "clock_offset_ms": row.clock_offset_ms,
            "clock_error_ms": row.clock_error_ms,
            "incarnation": row.incarnation,
            "suspicion_s": row.suspicion_s,
            "accusers": row.accusers,
            "version": row.version or None,
            "problem": row.problem or None,
            "metrics": _metrics(row.metrics) if row.metrics is not None else None,
        }
        for row in rows
    ]


def event_objects(events: Iterable[MeshEvent]) -> list[JsonObject]:
    """What happened in the mesh, as ``ssi events --json`` shows it."""
    return [
        {
            "stamp": event.stamp,
            "at_s": event.at_s,
            "node": event.node,
            "event": event.kind,
            "incarnation": event.incarnation,
            "by": event.by or None,
        }
        for event in events
    ]


def _process(placed: Placed) -> JsonObject:
    row = placed.row
    return {
        "gpid": row.thread_of or row.gpid,
        "node": placed.node,
        "user": row.user,
        "command": command_text(row),
        "args": row.command,
        "name": row.name,
        "pid": row.pid,
        "parent_gpid": row.parent_gpid or None,
        "job": row.job or None,
        "state": row.state,
        "nice": row.nice,
        "threads": row.threads,
        "tty": None if row.tty == "?" else row.tty,
        "start_ms": row.start_ms,
        "started_at_s": round(row.started_at_s, 3),
        "cpu_s": row.cpu_s,
        "cpu_percent": row.cpu_percent,
        "memory_percent": round(memory_percent(placed), 2) if placed.memory_bytes else None,
        "rss_bytes": row.rss_bytes,
        "vsize_bytes": row.vsize_bytes,
        "session_gpid": row.session_gpid or None,
        "group_gpid": row.group_gpid or None,
        "tid": row.tid or None,
    }


def _metrics(metrics: NodeMetrics) -> JsonObject:
    return {
        "taken_at_s": metrics.taken_at_s,
        "uptime_s": metrics.uptime_s,
        "cores": metrics.cores,
        "load": metrics.load,
        "memory_total_bytes": metrics.memory_total_bytes,
        "memory_available_bytes": metrics.memory_available_bytes,
        "swap_total_bytes": metrics.swap_total_bytes,
        "swap_free_bytes": metrics.swap_free_bytes,
        "disk_total_bytes": metrics.disk_total_bytes,
        "disk_free_bytes": metrics.disk_free_bytes,
        "processes": metrics.processes,
        "jobs": metrics.jobs,
        "gpus": [
            {
                "name": gpu.name,
                "utilisation_percent": gpu.utilisation_percent,
                "memory_used_bytes": gpu.memory_used_bytes,
                "memory_total_bytes": gpu.memory_total_bytes,
            }
            for gpu in metrics.gpus
        ],
        "kernel": metrics.kernel or None,
        "arch": metrics.arch or None,
        "criu": metrics.criu or None,
        "lacks": metrics.lacks,
        "cordoned": metrics.cordoned,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _encode(value: JsonObject) -> str:
    # DEL is the one control character that JSON does not ask to be escaped and json does not.
    return json.dumps(value, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")
