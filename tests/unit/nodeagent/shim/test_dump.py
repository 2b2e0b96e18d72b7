"""Whom a thaw continues."""

from __future__ import annotations

from nodeagent.shim.dump import to_wake
from nodeagent.shim.tree import Member


def member(pid: int, state: str) -> Member:
    return Member(pid=pid, parent=1, state=state, name="x")


def test_of_a_dumped_job_those_are_continued_who_have_not_noticed_yet_that_they_stop() -> None:
    members = [member(12, "T"), member(11, "t"), member(10, "R"), member(9, "S")]
    assert to_wake(members, frozenset(), all_stopped=True) == [12, 11, 10, 9]


def test_of_a_job_whose_dump_failed_only_those_are_continued_who_stand_still() -> None:
    members = [member(12, "T"), member(11, "t"), member(10, "R"), member(9, "S")]
    assert to_wake(members, frozenset(), all_stopped=False) == [12, 11]


def test_who_was_stopped_before_the_dump_stays_so_and_the_dead_are_left_alone() -> None:
    members = [member(12, "T"), member(11, "Z"), member(10, "T")]
    assert to_wake(members, frozenset({10}), all_stopped=True) == [12]
