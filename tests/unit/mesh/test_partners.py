"""Whom a member of a large mesh gossips with."""

from __future__ import annotations

from ssi.mesh.member import Member
from ssi.mesh.partners import LINKED_S, partners

NOW_S = 1000.0


def member(name: str, heard_s_ago: float, *, ever: bool = True) -> Member:
    return Member(name=name, heard_at_s=NOW_S - heard_s_ago, changed_at_s=0.0, ever_heard=ever)


def test_most_go_to_members_that_spoke_of_late_and_one_to_anybody() -> None:
    members = {
        each.name: each
        for each in (
            member("n1", LINKED_S + 1),
            member("n2", LINKED_S + 2),
            member("n3", 1.0, ever=False),
            member("n4", 5.0),
            member("n5", LINKED_S - 1),
            member("n6", 2.0),
        )
    }
    assert partners(list(members), 3, members, NOW_S) == ["n1", "n4", "n5"]


def test_where_nobody_spoke_of_late_it_goes_to_anybody() -> None:
    members = {name: member(name, 1.0, ever=False) for name in ("n1", "n2", "n3", "n4")}
    assert partners(list(members), 3, members, NOW_S) == ["n1", "n2", "n3"]
    assert partners([], 3, members, NOW_S) == []
