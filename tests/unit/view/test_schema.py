"""What is promised of JSON, and that the rows keep it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from docs.generate_json import TARGET, render
from ssi.model.checkpoint import CheckpointRow
from ssi.model.examination import Finding, Verdict
from ssi.model.job import JobRow, JobState
from ssi.model.node import MeshEvent
from ssi.protocol.migration import MigrationChecked
from ssi.protocol.refusals import NodeDown
from ssi.view.checkpoints import checkpoint_objects
from ssi.view.columns import Placed
from ssi.view.findings import finding_objects
from ssi.view.jobs import job_objects
from ssi.view.jsonview import event_objects, node_objects, process_objects
from ssi.view.kinds import KINDS
from ssi.view.memory import memory_listing, memory_of
from ssi.view.mounts import Mounted, mount_objects
from ssi.view.moves import Candidate, candidate_objects, checked_object, failed_object
from ssi.view.schema import has_name, json_schema
from ssi.view.uptime import uptime_listing, uptimes_of
from tests.schema import breaches
from tests.unit.view.samples import GPU, METRICS, node, process

NODES = [
    node(),
    node(name="n2", metrics=None, rtt_ms=None, version="", age_s=float("inf")),
    node(name="n3", metrics=msgspec.structs.replace(METRICS, gpus=(GPU,), lacks=("freeze: no",))),
]
JOB = JobRow(
    gpid=15000001,
    node="n1",
    user="ada",
    argv=("sleep", "9"),
    cwd="/",
    state=JobState.RUNNING,
    start_ms=1,
)
CHECKPOINT = CheckpointRow(name="noon", node="n1")
SAMPLES: list[tuple[str, Sequence[Any]]] = [
    ("ps", process_objects([Placed("n1", process(), 8 << 30), Placed("n2", process(tty="?"))])),
    ("nodes", node_objects(NODES)),
    ("jobs", job_objects([JOB, msgspec.structs.replace(JOB, exit_status=3, ended_ms=5)])),
    ("free", memory_listing(memory_of(NODES)).objects("")),
    ("uptime", uptime_listing(uptimes_of(NODES)).objects("")),
    (
        "events",
        event_objects([MeshEvent(stamp=1, at_s=1.5, node="n1", kind="joined", incarnation=1)]),
    ),
    ("checkpoints", checkpoint_objects([CHECKPOINT])),
    ("mount", mount_objects([Mounted("n1", "n2", "/ssi/n/n2")])),
    (
        "doctor",
        finding_objects([Finding(where="n1", check="root", verdict=Verdict.OK, text="yes")]),
    ),
    (
        "why",
        candidate_objects([Candidate(job=1, node="n1", score=None, fits=False, reasons=("x",))]),
    ),
    ("migrate", [failed_object(15000001, NodeDown(node="n1", silent_s=1.0))]),
    (
        "migrate --dry-run",
        [checked_object(MigrationChecked(gpid=1, source="n1", destination="n2", here=("x",)))],
    ),
]


@pytest.mark.parametrize(("kind", "objects"), SAMPLES, ids=[kind for kind, _ in SAMPLES])
def test_objects_are_as_promised(kind: str, objects: Sequence[Any]) -> None:
    assert breaches(json.loads(json.dumps(objects)), kind) == []


def test_the_page_of_names_is_up_to_date() -> None:
    assert TARGET.read_text(encoding="utf-8") == render(), "run: python docs/generate_json.py"


def test_what_is_missing_unknown_or_of_another_type_is_a_breach() -> None:
    good = {"on": "n1", "node": "n2", "point": "/"}
    assert breaches([good], "mount") == []
    assert breaches([{**good, "more": 1}], "mount") == ["mount: more is in no schema"]
    assert breaches([{"on": "n1", "node": 2}], "mount") == [
        "mount: point is missing",
        "mount: node is 2, no str",
    ]
    assert breaches([{"node": "n1", "cordoned": 1}], "cordon") == ["cordon: cordoned is 1, no bool"]


def test_every_type_is_one_that_json_schema_has() -> None:
    schema: Any = json_schema()
    assert schema["version"] == 1
    kinds = schema["$defs"]
    assert kinds.keys() == KINDS.keys()
    references = {part.split('"')[0] for part in json.dumps(schema).split('"#/$defs/')[1:]}
    assert references <= kinds.keys()


def test_names_are_looked_up_through_parts() -> None:
    assert has_name("nodes", "metrics.cores")
    assert has_name("nodes", "state")
    assert not has_name("nodes", "metrics.nope")
    assert not has_name("nodes", "state.nope")
