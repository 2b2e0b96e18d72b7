"""Two views that are compared: what crosses the wire, and that both end up the same."""

from __future__ import annotations

from ssi.mesh.beliefs import Beliefs
from ssi.mesh.comparing import answer_to, question
from ssi.mesh.event import Now
from ssi.mesh.settings import LAN, MAX_PARTS
from ssi.model.node import NodeState
from ssi.protocol.pulse import Rumour, Sync

NOW = Now(1.0, 1_700_000_000_000)


def view(name: str, members: int) -> Beliefs:
    """Of a mesh of so many, each of which was heard to be alive."""
    names = [f"n{number}" for number in range(1, members + 1)]
    beliefs = Beliefs(name, 5, "", LAN)
    beliefs.follow(dict.fromkeys(names, "10.0.0.1"), NOW)
    for number, each in enumerate(names, start=1):
        told = Rumour(each, NodeState.ALIVE, 5, at=number)
        if each == name:
            beliefs.me.at = number
            beliefs.chronicle.add(told)
        beliefs.hear(told, NOW)
    return beliefs


def compare(asker: Beliefs, asked: Beliefs) -> list[Sync]:
    """All that is said until one has nothing to answer."""
    first = question(asker, LAN)
    said = [Sync(incarnation=5, digest=first.digest, parts=first.parts)]
    listeners = [asked, asker]
    while len(said) < 10:
        listener = listeners[(len(said) - 1) % 2]
        for rumour in said[-1].rumours:
            listener.hear(rumour, NOW)
        answer = answer_to(said[-1], listener, LAN)
        if answer is None:
            break
        digest, parts, rumours, wants = answer
        rumours = () if listener.is_observer else rumours
        said.append(Sync(incarnation=5, digest=digest, parts=parts, rumours=rumours, answer=wants))
    return said


def dead(name: str, at: int) -> Rumour:
    return Rumour(name, NodeState.DEAD, 5, "n9", at)


def test_equal_views_of_a_large_mesh_cost_one_question() -> None:
    assert len(compare(view("n1", 200), view("n2", 200))) == 1


def test_of_a_large_view_only_the_parts_that_differ_are_told() -> None:
    mine, theirs = view("n1", 200), view("n2", 200)
    mine.hear(dead("n50", at=900), NOW)
    theirs.hear(dead("n60", at=901), NOW)
    said = compare(mine, theirs)
    assert mine.digest() == theirs.digest()
    assert {mine.members[name].state for name in ("n50", "n60")} == {NodeState.DEAD}
    assert len(said) <= 5
    assert 2 <= sum(len(sync.rumours) for sync in said) <= 4 * 60  # and not twice 200
    assert len(mine.digests(LAN.parts(200))) == 12


def test_member_that_one_view_lacks_is_told_of() -> None:
    mine, theirs = view("n1", 100), view("n2", 100)
    theirs.follow({f"n{number}": "10.0.0.1" for number in range(1, 102)}, NOW)
    mine.follow({f"n{number}": "10.0.0.1" for number in range(1, 102)}, NOW)
    theirs.hear(Rumour("n101", NodeState.ALIVE, 7, at=902), NOW)
    compare(mine, theirs)
    assert mine.members["n101"].incarnation == 7


def test_version_that_knows_no_parts_is_given_whole_views() -> None:
    mine = view("n1", 200)
    answer = answer_to(Sync(incarnation=5, digest=1), mine, LAN)
    assert answer is not None
    assert len({rumour.name for rumour in answer.rumours}) == 200
    assert answer.parts == ()
    assert answer.answer
    # It has our digests of parts and overlooks them: its whole view is answered by ours.
    whole = Sync(incarnation=5, digest=1, rumours=view("n2", 200).all_rumours())
    last = answer_to(whole, mine, LAN)
    assert last is not None
    assert not last.answer
    assert len({rumour.name for rumour in last.rumours}) == 200


def test_observer_is_told_what_it_lacks_and_tells_nothing() -> None:
    theirs, observer = view("n2", 100), Beliefs("", 0, "", LAN)
    theirs.hear(dead("n50", at=903), NOW)
    observer.follow({f"n{number}": "10.0.0.1" for number in range(1, 101)}, NOW)
    said = compare(observer, theirs)
    assert observer.members["n50"].state is NodeState.DEAD
    assert all(sync.rumours == () for sync in said[::2])


def test_more_parts_than_there_may_be_are_not_compared() -> None:
    parts = tuple(range(MAX_PARTS + 1))
    assert answer_to(Sync(incarnation=5, digest=1, parts=parts), view("n1", 60), LAN) is None
