"""Names of a job's processes: kept for life, over moves, restarts and used-up pids."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from nodeagent.services.members import Member, Membership, Sighting
from ssi.model.gpid import Gpid
from ssi.protocol.refusals import SequenceBroken


def make(first: int = 15_000_001) -> Membership:
    numbers = itertools.count(first)
    return Membership(lambda: Gpid(next(numbers)))


def test_newcomers_are_named_in_the_order_of_their_sight() -> None:
    membership = make()
    named = membership.observe([Sighting(2, 10, 1000), Sighting(3, 11, 1100)])
    assert named == {2: Member(15_000_001, 1000), 3: Member(15_000_002, 1100)}


def test_known_member_keeps_its_name_and_birth() -> None:
    membership = make()
    membership.observe([Sighting(2, 10, 1000)])
    assert membership.observe([Sighting(2, 10, 1007)]) == {2: Member(15_000_001, 1000)}


def test_inner_pid_used_again_is_another_process() -> None:
    membership = make()
    membership.observe([Sighting(2, 10, 1000)])
    assert membership.observe([Sighting(2, 99, 1890)]) == {2: Member(15_000_002, 1890)}


def test_inner_pid_that_was_gone_for_one_scan_is_another_process() -> None:
    membership = make()
    membership.observe([Sighting(2, 10, 1000)])
    membership.observe([])
    assert membership.observe([Sighting(2, 10, 1000)])[2].gpid == 15_000_002


def test_what_was_killed_for_a_move_keeps_its_names_until_that_is_settled() -> None:
    """The destination may lose it, and it is restored here from its images."""
    membership = make()
    membership.observe([Sighting(2, 10, 1000), Sighting(3, 11, 1100)])
    assert membership.observe([], unsettled=True) == {}
    membership.adopt(membership.export())
    restored = [Sighting(2, 7777, 90_000), Sighting(3, 7777, 90_000)]
    assert membership.observe(restored[:1], unsettled=True) == {2: Member(15_000_001, 1000)}
    assert membership.observe(restored) == {
        2: Member(15_000_001, 1000),
        3: Member(15_000_002, 1100),
    }
    membership.observe(restored[:1])
    assert membership.export() == ((2, 15_000_001, 1000),)


def test_an_inner_pid_that_is_used_again_before_a_move_is_settled_is_another_process() -> None:
    membership = make()
    membership.observe([Sighting(2, 10, 1000), Sighting(3, 11, 1100)])
    membership.observe([Sighting(2, 10, 1000)], unsettled=True)
    again = membership.observe([Sighting(2, 10, 1000), Sighting(3, 99, 1890)], unsettled=True)
    assert again[3] == Member(15_000_003, 1890)


def test_members_keep_name_and_birth_over_a_move() -> None:
    source, destination = make(15_000_001), make(25_000_001)
    source.observe([Sighting(2, 10, 1000), Sighting(3, 11, 1100)])
    destination.adopt(source.export())
    restored = destination.observe([Sighting(2, 7777, 90_000), Sighting(3, 7777, 90_000)])
    assert restored == {2: Member(15_000_001, 1000), 3: Member(15_000_002, 1100)}


def test_child_born_after_a_move_is_named_by_the_node_of_its_birth() -> None:
    destination = make(25_000_001)
    destination.adopt([(2, 15_000_001, 1000)])
    destination.observe([Sighting(2, 7777, 90_000)])
    named = destination.observe([Sighting(2, 7777, 90_000), Sighting(4, 7800, 90_230)])
    assert named == {2: Member(15_000_001, 1000), 4: Member(25_000_001, 90_230)}


def test_inner_pid_used_again_after_a_move_is_another_process() -> None:
    destination = make(25_000_001)
    destination.adopt([(2, 15_000_001, 1000)])
    destination.observe([Sighting(2, 7777, 90_000)])
    assert destination.observe([Sighting(2, 8888, 99_000)])[2].gpid == 25_000_001


def test_first_process_of_a_job_gets_the_name_that_was_promised() -> None:
    membership = make(15_000_001)
    membership.adopt([(301, 15_000_000, 4000)])
    named = membership.observe([Sighting(301, 10, 4003), Sighting(302, 12, 4023)])
    assert named == {301: Member(15_000_000, 4000), 302: Member(15_000_001, 4023)}


def test_next_agent_knows_the_members_and_notices_a_pid_used_again_meanwhile() -> None:
    """An agent dies; one process goes on, the other's inner pid is used again; an agent starts."""
    before, after = make(15_000_001), make(15_001_001)
    before.observe([Sighting(2, 10, 1000), Sighting(3, 11, 1100)])
    after.recall(before.snapshot())
    named = after.observe([Sighting(2, 10, 1004), Sighting(3, 500, 6000)])
    assert named == {2: Member(15_000_001, 1000), 3: Member(15_001_001, 6000)}


def test_member_that_was_never_seen_is_recalled_without_its_start() -> None:
    before, after = make(), make(15_001_001)
    before.adopt([(2, 15_000_000, 1000)])
    after.recall(before.snapshot())
    assert after.observe([Sighting(2, 10, 1003)]) == {2: Member(15_000_000, 1000)}


def test_export_and_snapshot_tell_who_was_observed_last() -> None:
    membership = make()
    membership.observe([Sighting(2, 10, 1000), Sighting(3, 11, 1100)])
    membership.observe([Sighting(3, 11, 1100)])
    assert membership.export() == ((3, 15_000_002, 1100),)
    assert membership.snapshot() == ((3, 15_000_002, 1100, 11),)


def test_newcomer_without_a_number_is_left_out_and_named_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = SequenceBroken(path="/x", reason="No space left on device")
    answers: Iterator[SequenceBroken | int] = iter([broken, 7])

    def allocate() -> Gpid:
        answer = next(answers)
        if isinstance(answer, SequenceBroken):
            raise answer
        return Gpid(answer)

    membership = Membership(allocate)
    membership.adopt([(2, 15_000_000, 1000)])
    seen = [Sighting(2, 10, 1000), Sighting(3, 11, 1100)]
    assert membership.observe(seen) == {2: Member(15_000_000, 1000)}
    assert "No space left" in caplog.text
    assert membership.observe(seen)[3] == Member(7, 1100)
