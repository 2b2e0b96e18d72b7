"""Jobs that left a node, over restarts of its agent."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nodeagent import departed
from nodeagent.departed import Departed, Departure
from ssi.model.job import Whereabouts


def test_a_departure_is_known_to_the_next_agent(tmp_path: Path) -> None:
    first = Departed(tmp_path / "departed")
    first.note(15_000_001, "n2", 3)
    first.note(15_000_002, "", 2)
    later = Departed(tmp_path / "departed")
    assert later.of(15_000_001) == Departure("n2", 3)
    assert later.of(15_000_002) == Departure("", 2)
    assert later.of(15_000_003) is None


def test_a_job_that_comes_back_has_not_departed(tmp_path: Path) -> None:
    record = Departed(tmp_path / "departed")
    record.note(15_000_001, "n2", 3)
    record.forget(15_000_001)
    assert record.of(15_000_001) is None
    assert Departed(tmp_path / "departed").of(15_000_001) is None


def test_the_oldest_are_forgotten_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departed, "MAX_KEPT", 2)
    record = Departed(tmp_path / "departed")
    for gpid in (1, 2, 1, 3):
        record.note(gpid, "n2", gpid)
    assert [record.of(gpid) is None for gpid in (1, 2, 3)] == [False, True, False]


@pytest.mark.parametrize("content", [b"{half", b'{"1": ["\xff", 1]}'])
def test_a_file_that_cannot_be_read_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "departed"
    path.write_bytes(content)
    record = Departed(path)
    assert record.of(1) is None
    record.note(1, "n3", 1)
    assert Departed(path).of(1) == Departure("n3", 1)


def test_what_left_lately_is_told_with_who_has_it_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    record = Departed(tmp_path / "departed")
    record.note(15_000_001, "n2", 3)
    record.note(15_000_002, "", 2)
    now_s += departed.LATELY_S / 2
    record.note(15_000_003, "n3", 1)
    record.note(15_000_001, "n3", 5)
    first, second, third = record.lately()
    assert first == Whereabouts(15_000_002, 2, ""), "it has ended"
    assert second == Whereabouts(15_000_003, 2, "n3"), "whose next owner is there"
    assert third == Whereabouts(15_000_001, 6, "n3"), "it left once more"
    record.forget(15_000_003)
    now_s += departed.LATELY_S * 0.75
    assert record.lately() == [third]
    now_s += departed.LATELY_S
    assert record.lately() == []
    assert record.of(15_000_001) == Departure("n3", 5), "which is remembered for longer"


def test_what_is_forgotten_for_its_age_did_not_leave_lately(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departed, "MAX_KEPT", 2)
    record = Departed(tmp_path / "departed")
    for gpid in (1, 2, 3):
        record.note(gpid, "n2", 1)
    assert [each.gpid for each in record.lately()] == [2, 3]
