"""JSON as ``docs/json.md`` promises it."""

from __future__ import annotations

import json
import math

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ssi.model.node import NodeState
from ssi.view.columns import Placed
from ssi.view.jsonview import node_objects, process_objects, render_json, render_json_line
from tests.unit.view.samples import GPU, METRICS, NOON_S, node, process

PLACED = Placed("n1", process(job=10000040), 1 << 30)


def test_process_has_the_promised_names() -> None:
    assert json.loads(render_json(process_objects([PLACED]))) == [
        {
            "gpid": 10000042,
            "node": "n1",
            "user": "ada",
            "command": "xz -9 big file",
            "args": ["xz", "-9", "big file"],
            "name": "xz",
            "pid": 42,
            "parent_gpid": 10000001,
            "job": 10000040,
            "state": "S",
            "nice": 0,
            "threads": 2,
            "tty": "pts/3",
            "start_ms": 5120,
            "started_at_s": NOON_S - 3600,
            "cpu_s": 187.0,
            "cpu_percent": 5.2,
            "memory_percent": 0.98,
            "rss_bytes": 10485760,
            "vsize_bytes": 104857600,
            "session_gpid": 10000042,
            "group_gpid": 10000042,
            "tid": None,
        }
    ]


def test_what_is_not_there_is_null() -> None:
    bare = process(tty="?", parent_gpid=0, session_gpid=0, group_gpid=0)
    (shown,) = process_objects([Placed("n1", bare)])
    assert [
        shown[name]
        for name in ("tty", "parent_gpid", "job", "session_gpid", "group_gpid", "memory_percent")
    ] == [None] * 6


def test_node_has_the_promised_names() -> None:
    (shown,) = json.loads(render_json(node_objects([node(metrics=METRICS)])))
    assert list(shown) == [
        "name",
        "number",
        "state",
        "address",
        "age_s",
        "rtt_ms",
        "clock_offset_ms",
        "clock_error_ms",
        "incarnation",
        "suspicion_s",
        "accusers",
        "version",
        "problem",
        "metrics",
    ]
    assert (shown["name"], shown["state"], shown["problem"]) == ("n1", "alive", None)
    assert shown["metrics"]["load"] == [1.5, 0.75, 0.25]
    assert shown["metrics"]["criu"] == "4.2.1"
    assert shown["metrics"]["gpus"] == []


def test_node_that_was_never_heard_of_has_no_age_and_no_metrics() -> None:
    silent = node(age_s=math.inf, metrics=None, state=NodeState.DEAD, rtt_ms=None)
    (shown,) = json.loads(render_json(node_objects([silent])))
    assert (shown["age_s"], shown["metrics"], shown["rtt_ms"]) == (None, None, None)


def test_gpus_are_objects() -> None:
    metrics = msgspec.structs.replace(METRICS, gpus=(GPU,))
    (shown,) = json.loads(render_json(node_objects([node(metrics=metrics)])))
    assert shown["metrics"]["gpus"] == [
        {
            "name": "NVIDIA A100",
            "utilisation_percent": 30.0,
            "memory_used_bytes": 1 << 30,
            "memory_total_bytes": 40 << 30,
        }
    ]


def test_list_has_one_object_per_line_and_none_is_a_list_too() -> None:
    lines = render_json(process_objects([PLACED, PLACED])).splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("[", "]", 4)
    assert json.loads(lines[1].removesuffix(",")) == json.loads(lines[2])
    assert render_json([]) == "[]\n"


def test_watched_list_is_one_line() -> None:
    line = render_json_line(process_objects([PLACED, PLACED]))
    assert line.count("\n") == 1
    assert json.loads(line) == json.loads(render_json(process_objects([PLACED, PLACED])))


@given(st.text(st.characters()))
def test_any_command_survives_and_shows_no_control_character(argument: str) -> None:
    text = render_json(process_objects([Placed("n1", process(command=(argument,)))]))
    assert all(" " <= character <= "~" for character in text.replace("\n", ""))
    assert json.loads(text)[0]["args"] == [argument]
