"""Which rumours go out, how often, and how many are kept."""

from __future__ import annotations

from ssi.mesh.gossip import GossipQueue
from ssi.model.node import NodeState
from ssi.protocol.pulse import Rumour


def rumour(name: str, incarnation: int = 1) -> Rumour:
    return Rumour(name, NodeState.ALIVE, incarnation)


def test_rumour_is_told_so_often_and_then_dropped() -> None:
    queue = GossipQueue(10)
    queue.put(rumour("n1"))
    assert [len(queue.take(5, repeats=3)) for _ in range(5)] == [1, 1, 1, 0, 0]


def test_the_least_told_goes_first() -> None:
    queue = GossipQueue(10)
    queue.put(rumour("n1"))
    queue.take(1, repeats=9)
    queue.put(rumour("n2"))
    assert [r.name for r in queue.take(1, repeats=9)] == ["n2"]


def test_newer_rumour_of_a_member_takes_the_place_of_the_older() -> None:
    queue = GossipQueue(10)
    queue.put(rumour("n1", 1))
    queue.put(rumour("n1", 2))
    assert queue.take(5, repeats=1) == (rumour("n1", 2),)
    assert len(queue) == 0


def test_correction_is_told_less_often_and_starts_nothing_again() -> None:
    queue = GossipQueue(10)
    queue.put(rumour("n1", 1))
    queue.take(1, repeats=4)
    queue.correct(rumour("n1", 2), repeats=4, times=2)
    assert [queue.take(1, repeats=4) for _ in range(4)] == [(rumour("n1", 2),)] * 3 + [()]
    queue.correct(rumour("n1", 3), repeats=4, times=2)
    assert [queue.take(1, repeats=4) for _ in range(3)] == [(rumour("n1", 3),)] * 2 + [()]


def test_full_queue_drops_what_was_told_most_often() -> None:
    queue = GossipQueue(2)
    queue.put(rumour("n1"))
    queue.take(1, repeats=9)
    queue.put(rumour("n2"))
    queue.put(rumour("n3"))
    assert {r.name for r in queue.take(5, repeats=9)} == {"n2", "n3"}


def test_what_goes_first_is_not_doubled_and_counts_to_the_limit() -> None:
    queue = GossipQueue(10)
    queue.put(rumour("n1"))
    queue.put(rumour("n2"))
    taken = queue.take(2, repeats=9, first=rumour("n2"))
    assert [r.name for r in taken] == ["n2"] or len(taken) == 2
    assert [r.name for r in taken].count("n2") == 1
