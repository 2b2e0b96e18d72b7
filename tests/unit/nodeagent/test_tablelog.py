"""Viewers are told what changed, each since it was last told."""

from __future__ import annotations

import pytest

from nodeagent import tablelog
from nodeagent.tablelog import TableLog
from tests.unit.view.samples import process

A, B = process(gpid=1), process(gpid=2)
BUSY = process(gpid=1, cpu_s=999.0)


def log(*scans: list[object]) -> TableLog:
    made = TableLog(b"log")
    for scan in scans:
        made.observe(scan)  # type: ignore[arg-type]
    return made


def test_the_first_question_is_told_everything() -> None:
    change = log([A, B]).since(b"", 0)
    assert (change.whole, change.rows, change.gone) == (True, [A, B], [])


def test_only_what_changed_is_told_and_to_each_what_it_missed() -> None:
    seen = log([A, B])
    first = seen.since(b"", 0).version
    seen.observe([BUSY, B])
    second = seen.since(b"log", first)
    assert (second.whole, second.rows) == (False, [BUSY])
    seen.observe([BUSY])
    assert seen.since(b"log", second.version)[2:] == ([], [2])
    assert seen.since(b"log", first)[2:] == ([BUSY], [2]), "whoever was away hears of both"


def test_age_alone_is_no_change() -> None:
    seen = log([A])
    version = seen.since(b"", 0).version
    seen.observe([process(gpid=1, cpu_percent=1.5, started_at_s=A.started_at_s + 0.001)])
    assert seen.since(b"log", version)[2:] == ([], [])


def test_a_gpid_that_is_used_again_is_new_and_not_gone() -> None:
    seen = log([A])
    version = seen.since(b"", 0).version
    seen.observe([])
    seen.observe([process(gpid=1, start_ms=777)])
    change = seen.since(b"log", version)
    assert [row.start_ms for row in change.rows] == [777]
    assert change.gone == []


@pytest.mark.parametrize(("name", "version"), [(b"old", 1), (b"log", 99)])
def test_a_version_of_another_run_means_nothing(name: bytes, version: int) -> None:
    assert log([A]).since(name, version).whole


def test_who_was_away_too_long_is_told_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tablelog, "GONE_KEPT", 2)
    seen = TableLog(b"log")
    seen._gone = type(seen._gone)(maxlen=2)
    seen.observe([process(gpid=number) for number in range(5)])
    version = seen.since(b"", 0).version
    for number in range(1, 5):
        seen.observe([process(gpid=left) for left in range(number, 5)])
    assert seen.since(b"log", version).whole
