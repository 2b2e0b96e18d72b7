"""Metrics in the text format of Prometheus, and a dashboard that asks for what there is."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import msgspec

from ssi.model.job import JobRow, JobState
from ssi.model.node import NodeState
from ssi.view.prometheus import FAMILIES, JOBS, render
from tests.unit.view.samples import GPU, METRICS, node

DOCS = Path(__file__).parents[3] / "docs"
SAMPLE = re.compile(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\} (\S+)')


def samples(text: str) -> dict[str, float]:
    """The samples by name and labels; every line is one, or tells of one."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            match = SAMPLE.fullmatch(line)
            assert match, line
            found[f"{match[1]}{{{match[2]}}}"] = float(match[3])
    return found


def job(gpid: int, state: JobState, on: str = "n1") -> JobRow:
    return JobRow(gpid=gpid, node=on, user="ada", argv=("x",), cwd="/", state=state, start_ms=gpid)


def test_each_node_is_told_with_its_figures_and_jobs_are_counted() -> None:
    rows = [
        node(name="n1", metrics=msgspec.structs.replace(METRICS, gpus=(GPU,), cordoned=True)),
        node(name="n2", state=NodeState.DEAD, metrics=None, rtt_ms=None, age_s=math.inf),
    ]
    jobs = [job(1, JobState.RUNNING), job(2, JobState.RUNNING), job(3, JobState.EXITED)]
    found = samples(render(rows, jobs))
    assert found['ssi_node_state{node="n2",state="dead"}'] == 1
    assert found['ssi_node_state{node="n1",state="dead"}'] == 0
    assert found['ssi_node_cores{node="n1"}'] == METRICS.cores
    assert found['ssi_node_load{node="n1",minutes="5"}'] == METRICS.load[1]
    assert found['ssi_node_cordoned{node="n1"}'] == 1
    assert found['ssi_node_age_seconds{node="n2"}'] == math.inf
    assert 'ssi_node_rtt_seconds{node="n2"}' not in found
    assert 'ssi_node_cores{node="n2"}' not in found
    assert found['ssi_jobs{node="n1",state="running"}'] == 2
    assert not any("exited" in name for name in found)
    gpu = f'ssi_gpu_memory_total_bytes{{node="n1",gpu="0",name="{GPU.name}"}}'
    assert found[gpu] == GPU.memory_total_bytes


def test_nothing_from_outside_ends_a_label() -> None:
    evil = 'a"} 1\nssi_jobs{x="\\'
    text = render([node(name="n1", version=evil)], [])
    assert "\nssi_jobs{x=" not in text
    assert len(samples(text)) == len(samples(render([node(name="n1")], [])))
    assert r'version="a\"} 1\nssi_jobs{x=\"\\"' in text


def test_every_name_is_told_once_and_stands_in_the_document() -> None:
    text = render([], [])
    names = [each.name for each in FAMILIES] + [JOBS[0]]
    assert len(set(names)) == len(names)
    document = (DOCS / "metrics.md").read_text(encoding="utf-8")
    for name in names:
        assert text.count(f"# TYPE {name} gauge\n") == 1
        assert re.search(rf"`{name}[`{{]", document), name


def test_dashboard_asks_for_what_there_is() -> None:
    dashboard = json.loads((DOCS / "metrics/grafana.json").read_text(encoding="utf-8"))
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    names = {each.name for each in FAMILIES} | {JOBS[0]}
    assert set(re.findall(r"ssi_[a-z_]+", asked)) <= names
    assert len(dashboard["panels"]) >= 10
