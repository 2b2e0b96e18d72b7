"""What happened, in one order."""

from __future__ import annotations

import pytest

from ssi.mesh.chronicle import Chronicle, kind_of
from ssi.model.node import NodeState
from ssi.protocol.pulse import Rumour


def died(name: str, at: int, by: str = "n1") -> Rumour:
    return Rumour(name, NodeState.DEAD, 5, by, at)


def test_happenings_are_ordered_by_their_stamps_however_they_came() -> None:
    chronicle = Chronicle()
    for at in (30, 10, 20):
        chronicle.add(died(f"n{at}", at))
    assert [each.at for each in chronicle.entries()] == [10, 20, 30]


def test_same_happening_is_kept_once_with_its_earliest_stamp() -> None:
    chronicle = Chronicle()
    for at in (30, 10, 20):
        chronicle.add(died("n2", at, by=f"n{at}"))
    assert chronicle.entries() == [died("n2", 10, by="n10")]


def test_one_of_several_happenings_of_the_same_stamp_is_moved() -> None:
    chronicle = Chronicle()
    for told in (Rumour("n2", NodeState.SUSPECT, 5, "n1", 30), died("n2", 30), died("n2", 20)):
        chronicle.add(told)
    assert [(each.state, each.at) for each in chronicle.entries()] == [
        (NodeState.DEAD, 20),
        (NodeState.SUSPECT, 30),
    ]


def test_the_newest_are_told_without_the_rest() -> None:
    chronicle = Chronicle()
    for at in (30, 10, 20):
        chronicle.add(died(f"n{at}", at))
    assert [each.at for each in chronicle.newest(2)] == [20, 30]
    assert chronicle.newest(9) == chronicle.entries()


def test_what_has_no_stamp_has_no_place() -> None:
    chronicle = Chronicle()
    chronicle.add(died("n2", 0))
    assert chronicle.entries() == []


def test_the_oldest_are_forgotten() -> None:
    chronicle = Chronicle(limit=3)
    for at in range(1, 6):
        chronicle.add(died(f"n{at}", at))
    assert [each.at for each in chronicle.entries()] == [3, 4, 5]


@pytest.mark.parametrize(
    ("state", "by", "kind"),
    [
        (NodeState.ALIVE, "", "joined"),
        (NodeState.ALIVE, "n2", "refuted"),
        (NodeState.SUSPECT, "n1", "suspected"),
        (NodeState.DEAD, "n1", "died"),
        (NodeState.LEFT, "n2", "left"),
    ],
)
def test_each_rumour_has_its_word(state: NodeState, by: str, kind: str) -> None:
    assert kind_of(Rumour("n2", state, 1, by, 1)) == kind
