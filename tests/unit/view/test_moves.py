"""Checks of moves, and candidates for them, as text."""

from __future__ import annotations

from ssi.policy.placement import Rejection, Suggestion
from ssi.protocol.migration import MigrationChecked
from ssi.view.listing import Way, render
from ssi.view.moves import candidate_listing, candidates_of, checked_lines, checked_object


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
