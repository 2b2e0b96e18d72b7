"""Checks of moves, and candidates for them, as text."""

from __future__ import annotations

import pytest

from ssi.model.job import JobRow, JobState
from ssi.policy.placement import Rejection, Suggestion
from ssi.protocol.migration import JobMigrated, MigrationChecked
from ssi.view.listing import Way, render
from ssi.view.moves import (
    candidate_listing,
    candidates_of,
    checked_lines,
    checked_object,
    moved_line,
)


def checked(node: str = "n2", *there: str) -> MigrationChecked:
    return MigrationChecked(gpid=15000001, source="n1", destination=node, there=there)


def test_every_blocker_has_a_line_that_begins_with_its_node() -> None:
    told = MigrationChecked(
        gpid=15000001,
        source="n1",
        destination="n2",
        here=("process 7, fd 3: a\x1b[2J pipe",),
        there=("no room",),
    )
    assert checked_lines(told).splitlines() == [
        "15000001 n1 -> n2: cannot move",
        "  n1: process 7, fd 3: a\\x1b[2J pipe",
        "  n2: no room",
    ]
    assert checked_object(told)["can_move"] is False


def test_the_best_that_fits_is_first_and_the_impossible_last() -> None:
    suggestions = [
        Suggestion(node="n2", score=0.1, reasons=("idle",)),
        Suggestion(node="n3", score=0.5, reasons=("busy",)),
    ]
    rejections = [Rejection(node="n1", reason="it is there already")]
    found = candidates_of(
        15000001, suggestions, [checked("n2", "no room"), checked("n3")], rejections
    )
    assert render(candidate_listing(found), Way()).splitlines() == [
        "NODE SCORE VERDICT WHY",
        "n3    0.50 best    busy",
        "n2    0.10 no      n2: no room",
        "n1       - no      it is there already",
    ]


@pytest.mark.parametrize(
    ("packed_mib", "sent_mib", "told"),
    [(0, 100, ""), (100, 40, ", compressed to 40M"), (60, 94, ", compressed to 94M"), (4, 99, "")],
)
def test_compression_is_told_where_it_saved_something(
    packed_mib: int, sent_mib: int, told: str
) -> None:
    moved = JobMigrated(
        row=JobRow(
            gpid=15000001,
            node="n2",
            user="root",
            argv=("xz",),
            cwd="/",
            state=JobState.RUNNING,
            start_ms=1,
        ),
        total_ms=1500.0,
        freeze_ms=80.0,
        image_bytes=10 << 20,
        carried_bytes=90 << 20,
        files_carried=("/srv/data",),
        sent_bytes=sent_mib << 20,
        packed_bytes=packed_mib << 20,
    )
    assert moved_line("n1", "n2", moved) == (
        f"15000001 n1 -> n2: 1500 ms in all, frozen for 80 ms, image 10M, 90M of files{told}"
    )


def test_memory_that_should_have_gone_ahead_and_did_not_is_told_with_the_reason() -> None:
    row = JobRow(
        gpid=7, node="n2", user="root", argv=("x",), cwd="/", state=JobState.RUNNING, start_ms=1
    )

    def told(rounds: int, not_ahead: str) -> str:
        moved = JobMigrated(
            row=row,
            total_ms=1.0,
            freeze_ms=1.0,
            image_bytes=1 << 20,
            carried_bytes=0,
            early_bytes=rounds << 20,
            rounds=rounds,
            not_ahead=not_ahead,
        )
        return moved_line("n1", "n2", moved).partition("image 1.0M")[2]

    assert told(0, "") == ""
    assert told(0, "there is no room") == ", none of it before (there is no room)"
    assert told(2, "") == ", 2.0M of memory before it in 2 rounds"
