"""How a member follows the roster: who is in it, where they are, and who gives it to whom."""

from __future__ import annotations

from ssi.mesh.event import (
    FetchRoster,
    Moved,
    RosterInstalled,
    SendEntries,
    TakeEntries,
)
from ssi.mesh.settings import WAN
from ssi.model.node import NodeState
from ssi.protocol.pulse import (
    Gossip,
    Probe,
    Rumour,
)
from tests.unit.mesh.story import BORN, Story, changes, sent, suspicion_of


def test_member_that_is_behind_says_so_and_fetches_only_where_nothing_comes_of_it() -> None:
    story = Story("n2", "n3")
    newer = Gossip(incarnation=BORN, roster_version=2)
    for _ in range(2):
        ((to, asked),) = sent(story.hear("n2", newer), Gossip)
        assert (to, asked.roster_version) == ("n2", 1)
        assert sent(story.hear("n3", newer), Gossip) == []  # one is enough
        story.now_s += 1.0
    assert story.hear("n3", newer) == [FetchRoster(source="n3")]


def test_member_that_is_behind_is_given_what_changed_once() -> None:
    story = Story("n2", "n3")
    names = {"n1": "10.0.0.1", "n2": "10.0.0.2", "n3": "10.0.0.3", "n4": "10.0.0.4"}
    story.feed(RosterInstalled(version=3, addresses=names))
    behind = Gossip(incarnation=BORN, roster_version=1)
    (given,) = [i for i in story.hear("n2", behind) if isinstance(i, SendEntries)]
    assert (given.to, given.since, given.datagram.roster_version) == ("n2", 1, 3)
    assert [i for i in story.hear("n2", behind) if isinstance(i, SendEntries)] == []
    story.now_s += 1.0
    assert [i.to for i in story.hear("n2", behind) if isinstance(i, SendEntries)] == ["n2"]
    assert story.hear("?key", Gossip(incarnation=0, roster_version=1)) == []


def test_entries_are_taken_from_members_that_have_a_newer_roster() -> None:
    story = Story("n2", "n3")
    given = Gossip(incarnation=BORN, roster_version=2, entries=(b"signed",))
    assert story.hear("n2", given) == [TakeEntries(source="n2", entries=(b"signed",))]
    old = Gossip(incarnation=BORN, roster_version=1, entries=(b"signed",))
    assert story.hear("n2", old) == []
    assert story.hear("?key", Gossip(incarnation=0, roster_version=2, entries=(b"x",))) == []


def test_observer_fetches_the_whole_roster_at_once() -> None:
    story = Story("n2", "n3", name="")
    newer = Gossip(incarnation=BORN, roster_version=2)
    assert story.hear("n2", newer) == [FetchRoster(source="n2")]
    assert story.hear("n3", newer) == []


def test_roster_tells_which_times_are_kept_from_now_on() -> None:
    story = Story("n2", "n3", answering=("n2", "n3"))
    names = {"n1": "10.0.0.1", "n2": "10.0.0.2", "n3": "10.0.0.3"}
    story.feed(RosterInstalled(version=2, addresses=names, settings=WAN))
    told = story.wait(20.0, "n2", "n3")
    assert 3 <= len([to for to, _ in sent(told, Probe) if to == "n2"]) <= 6
    story.feed(RosterInstalled(version=3, addresses=names))
    assert story.machine.settings is WAN


def test_member_that_the_roster_no_longer_names_is_forgotten() -> None:
    story = Story("n2", "n3")
    story.feed(RosterInstalled(version=2, addresses={"n1": "10.0.0.1", "n3": "10.0.0.3"}))
    assert {to for to, _ in sent(story.wait(5.0, "n3"), Probe)} == {"n3"}


def test_member_that_moved_is_found_at_its_new_address() -> None:
    story = Story("n2")
    moved = Rumour("n2", NodeState.ALIVE, BORN, "", at=5, address="10.9.9.9")
    told = story.hear("n2", Gossip(incarnation=BORN, rumours=(moved,)))
    assert Moved(name="n2", address="10.9.9.9") in told


def test_newer_roster_knows_better_where_a_member_is_than_old_rumours() -> None:
    """1. n2 gets another address by a new roster. 2. n3, which has the old one, speaks of n2."""
    story, old = Story("n2", "n3"), Story("n2", "n3")
    names = {"n1": "10.0.0.1", "n2": "10.9.9.9", "n3": "10.0.0.3"}
    story.feed(RosterInstalled(version=2, addresses=names))
    old.hear("n2", suspicion_of("n2", "n1"))
    told = story.hear("n3", Gossip(incarnation=BORN, rumours=old.machine.beliefs.all_rumours()))
    assert changes(told, "n2") == [NodeState.SUSPECT]
    assert [i for i in told if isinstance(i, Moved)] == []
    assert story.machine.beliefs.members["n2"].address == "10.9.9.9"
