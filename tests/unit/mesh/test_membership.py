"""Membership told as stories: what one member hears, and what it then does."""

from __future__ import annotations

from random import Random

import pytest

from ssi.mesh.event import (
    Leave,
    Now,
    Received,
    RosterInstalled,
    Send,
    Tick,
)
from ssi.mesh.membership import Membership
from ssi.mesh.settings import LAN, Settings
from ssi.model.node import NodeState
from ssi.protocol.pulse import (
    Ack,
    Gossip,
    IndirectProbe,
    Nack,
    Probe,
    Rumour,
    Sync,
)
from tests.unit.mesh.story import BORN, WALL_MS, Story, changes, sent, suspicion_of


def test_all_members_of_a_small_mesh_are_probed_at_once_and_then_each_period() -> None:
    story = Story("n2", "n3", "n4")
    assert sorted(to for to, _ in sent(story.told, Probe)) == ["n2", "n3", "n4"]
    story = Story("n2", "n3", "n4", answering=("n2", "n3", "n4"))
    told = story.wait(10.0, "n2", "n3", "n4")
    probes = [to for to, _ in sent(told, Probe)]
    assert all(9 <= probes.count(name) <= 15 for name in ("n2", "n3", "n4"))


def test_one_member_of_a_large_mesh_is_probed_each_period() -> None:
    story = Story("n2", "n3", "n4", settings=Settings(full_probing_up_to=0))
    told = story.wait(9.5, "n2", "n3", "n4")
    assert len(sent(told, Probe)) == 10
    first_round = [to for to, _ in sent(told, Probe)[:3]]
    assert sorted(first_round) == ["n2", "n3", "n4"]


def test_silent_member_is_tried_through_others_then_suspect_then_dead() -> None:
    story = Story("n2", "n3", "n4", "n5")
    told = story.wait(10.0, "n3", "n4", "n5")
    asked = {to for to, request in sent(told, IndirectProbe) if request.target == "n2"}
    assert asked == {"n3", "n4", "n5"}
    assert changes(told, "n2")[0] is NodeState.SUSPECT
    assert story.state("n2") is NodeState.SUSPECT  # nobody else confirms it
    story.hear("n3", suspicion_of("n2", "n3", 0))
    story.hear("n4", suspicion_of("n2", "n4", 0))
    assert changes(story.wait(10.1, "n3", "n4", "n5"), "n2") == [NodeState.DEAD]


def test_helpers_in_a_large_mesh_are_mostly_members_that_spoke_of_late() -> None:
    others = tuple(f"n{i}" for i in range(2, 32))
    story = Story(*others, settings=Settings(full_probing_up_to=0))
    spoke = ("n2", "n3", "n4", "n5")
    for name in spoke:
        story.hear(name, Gossip(incarnation=BORN))
    asked = [to for to, _ in sent(story.wait(20.0), IndirectProbe)]
    rounds = [asked[i : i + 3] for i in range(0, len(asked), 3)]
    assert len(rounds) > 2
    assert all(name in spoke for each in rounds for name in each[1:])
    assert {each[0] for each in rounds} - set(spoke)  # and one is anybody


@pytest.mark.parametrize(("settings", "slower"), [(Settings(full_probing_up_to=0), 4), (LAN, 1)])
def test_member_of_a_large_mesh_that_doubts_itself_gossips_more_rarely(
    settings: Settings, slower: int
) -> None:
    beliefs = Story("n2", "n3", settings=settings).machine.beliefs
    pace_s = beliefs.gossip_pace_s()
    beliefs.awareness.worsen(3)
    assert beliefs.gossip_pace_s() == pytest.approx(slower * pace_s)


def test_silent_member_of_three_is_dead_within_five_seconds() -> None:
    story = Story("n2", "n3")
    told = story.wait(5.0, "n3")
    assert changes(told, "n2") == [NodeState.SUSPECT, NodeState.DEAD]


def test_ack_through_a_helper_is_as_good_as_a_direct_one() -> None:
    story = Story("n2", "n3", settings=Settings(full_probing_up_to=0, reach_out_interval_s=99))
    while not (requests := sent(story.wait(story.now_s + 0.1, "n3"), IndirectProbe)):
        assert story.now_s < 5
    helper, request = requests[0]
    story.hear(helper, Ack(incarnation=BORN, sequence=request.sequence))
    assert changes(story.wait(story.now_s + 0.6, "n3"), "n2") == []


def test_helper_probes_for_another_and_passes_the_ack_on() -> None:
    story = Story("n2", "n3")
    told = story.hear("n2", IndirectProbe(incarnation=BORN, sequence=77, target="n3"))
    ((to, probe),) = sent(told, Probe)
    assert to == "n3"
    told = story.hear("n3", Ack(incarnation=BORN, sequence=probe.sequence))
    assert [(to, ack.sequence) for to, ack in sent(told, Ack)] == [("n2", 77)]


def test_helper_says_that_it_lives_where_the_target_is_silent() -> None:
    story = Story("n2", "n3")
    story.hear("n2", IndirectProbe(incarnation=BORN, sequence=77, target="n3"))
    told = story.wait(LAN.nack_after_s + 0.01, "n2")
    assert [(to, nack.sequence) for to, nack in sent(told, Nack)] == [("n2", 77)]


def test_member_whose_helpers_are_silent_too_doubts_itself() -> None:
    story = Story("n2", "n3", "n4", "n5")
    story.wait(2.0)
    assert story.score > 0
    paced = Story("n2", "n3", "n4", "n5", answering=("n3", "n4", "n5"))
    paced.wait(2.0, "n3", "n4", "n5")
    assert paced.score == 0


def test_suspect_refutes_with_higher_incarnation() -> None:
    story = Story("n2", "n3")
    told = story.hear("n2", suspicion_of("n1", "n2"))
    assert story.machine.beliefs.me.incarnation == BORN + 1
    told += story.wait(0.3, "n2", "n3")
    refutations = [r for _, g in sent(told, Gossip) for r in g.rumours if r.name == "n1"]
    assert refutations[0].state is NodeState.ALIVE
    assert refutations[0].incarnation == BORN + 1
    assert refutations[0].by == "n1"


def test_old_accusation_is_not_refuted_again() -> None:
    story = Story("n2")
    story.hear("n2", suspicion_of("n1", "n2"))
    story.hear("n2", suspicion_of("n1", "n2"))
    assert story.machine.beliefs.me.incarnation == BORN + 1


def test_probe_of_a_suspect_tells_it_so_before_all_else() -> None:
    story = Story("n2", "n3")
    story.hear("n3", suspicion_of("n2", "n3"))
    told = story.wait(2.0, "n3")
    first = [probe.rumours[0] for to, probe in sent(told, Probe) if to == "n2"]
    assert first
    assert all((r.name, r.state) == ("n2", NodeState.SUSPECT) for r in first)


def test_dead_member_that_talks_is_told_and_comes_back_by_refuting() -> None:
    story = Story("n2", "n3")
    story.wait(6.0, "n3")
    assert story.state("n2") is NodeState.DEAD
    told = story.hear("n2", Gossip(incarnation=0))
    assert sent(told, Gossip)[0][1].rumours[0].state is NodeState.DEAD
    told = story.hear("n2", Gossip(incarnation=BORN))
    assert changes(told, "n2") == [NodeState.ALIVE]


def test_dead_member_is_probed_now_and_then() -> None:
    story = Story("n2", "n3", answering=("n3",))
    story.wait(6.0, "n3")
    probes = [to for to, _ in sent(story.wait(16.0, "n3"), Probe) if to == "n2"]
    assert 19 <= len(probes) <= 21


def test_word_of_an_older_incarnation_revives_nobody() -> None:
    story = Story("n2", "n3")
    story.hear("n2", Gossip(incarnation=BORN))
    dead = Rumour("n2", NodeState.DEAD, BORN, "n3", at=1)
    story.hear("n3", Gossip(incarnation=BORN, rumours=(dead,)))
    story.hear("n2", Gossip(incarnation=BORN - 1))
    assert story.state("n2") is NodeState.DEAD
    assert story.machine.beliefs.members["n2"].incarnation == BORN


def test_member_that_was_paused_accuses_nobody_when_it_wakes() -> None:
    story = Story("n2", "n3")
    story.wait(3.0, "n2", "n3")
    story.wait(story.machine.due_s())  # probes that nobody has answered yet
    story.now_s += 20.0
    told = story.feed(Tick())
    assert changes(told, "n2") == changes(told, "n3") == []
    assert story.score == 1


def test_stranger_is_not_taken_in_by_being_heard() -> None:
    story = Story("n2")
    told = story.hear("n9", Probe(incarnation=BORN, sequence=1))
    assert set(story.machine.beliefs.members) == {"n2"}
    assert [to for to, _ in sent(told, Ack)] == ["n9"]


def test_observer_has_no_word_in_who_is_alive() -> None:
    story = Story("n2")
    rumour = Rumour("n2", NodeState.DEAD, BORN + 5, "n1", at=1)
    story.hear("?key", Probe(incarnation=0, sequence=1, rumours=(rumour,)))
    assert story.state("n2") is NodeState.ALIVE


def test_observer_looks_on_and_says_nothing() -> None:
    story = Story("n2", "n3", name="")
    told = story.told + story.wait(20.0, "n3")
    assert story.state("n2") is NodeState.DEAD
    datagrams = [i.datagram for i in told if isinstance(i, Send)]
    assert {d.incarnation for d in datagrams} == {0}
    assert not [d for d in datagrams if d.rumours or isinstance(d, Gossip)]
    story.hear("n2", Ack(incarnation=BORN, sequence=0))
    assert story.state("n2") is NodeState.ALIVE


def test_member_that_leaves_tells_all_and_says_no_more() -> None:
    story = Story("n2", "n3")
    told = story.feed(Leave())
    farewells = sent(told, Gossip)
    assert sorted(to for to, _ in farewells) == ["n2", "n3"]
    assert {g.rumours[0].state for _, g in farewells} == {NodeState.LEFT}
    assert story.hear("n2", Probe(incarnation=BORN, sequence=1)) == []


def test_different_views_are_compared_and_equal_ones_cost_nothing() -> None:
    story = Story("n2", "n3")
    digest = story.machine.beliefs.digest()
    assert story.hear("n2", Sync(incarnation=0, digest=digest)) == []
    ((to, answer),) = sent(story.hear("n2", Sync(incarnation=0, digest=digest + 1)), Sync)
    assert to == "n2"
    assert {r.name for r in answer.rumours} == {"n1", "n2", "n3"}
    # Two whole views cross the wire at most.
    theirs = Sync(incarnation=0, digest=1, rumours=(Rumour("n2", NodeState.ALIVE, 5, at=9),))
    ((_, last),) = sent(story.hear("n2", theirs), Sync)
    assert not last.answer
    assert sent(story.hear("n2", last), Sync) == []


def test_views_of_a_large_mesh_are_compared_once_rumours_have_spread_but_not_never() -> None:
    story = Story("n2", "n3", settings=Settings(full_probing_up_to=0), answering=("n2", "n3"))
    assert len(sent(story.wait(3.0, "n2", "n3"), Sync)) == 1  # the first: it was away
    for tenth in range(31, 300):  # there is always something new
        rumour = Rumour("n2", NodeState.ALIVE, BORN + tenth, "n2", at=tenth)
        story.hear("n3", Gossip(incarnation=BORN, rumours=(rumour,)))
        if sent(story.wait(tenth / 10, "n2", "n3"), Sync):
            break
    assert 10.0 <= story.now_s <= 16.0
    quiet = story.wait(story.now_s + 40.0, "n2", "n3")
    assert 5 <= len(sent(quiet, Sync)) <= 11


def test_round_trip_and_clock_offset_are_measured_by_direct_acks() -> None:
    story = Story("n2")
    (_, probe) = sent(story.told, Probe)[0]
    story.now_s = 0.010
    story.hear("n2", Ack(incarnation=BORN, sequence=probe.sequence, wall_ms=WALL_MS + 2005.0))
    member = story.machine.beliefs.members["n2"]
    assert member.rtt_s == 0.010
    assert member.clock_offset_s is not None
    assert abs(member.clock_offset_s - 2.0) < 1e-6


@pytest.mark.parametrize("fraction_s", [0.0001, 0.0004, 0.0008, 0.00095])
def test_offset_is_right_to_half_of_a_round_trip_shorter_than_a_millisecond(
    fraction_s: float,
) -> None:
    """Both clocks are the same. In whole milliseconds one was told to be 0.6 +- 0.4 ahead."""
    story = Story("n2")
    other = Membership("n2", BORN, Random(8))
    addresses = {"n1": "10.0.0.1", "n2": "10.0.0.2"}
    other.handle(RosterInstalled(version=1, addresses=addresses), Now(0.0, WALL_MS))
    probes = sent(story.told, Probe)
    story.answer(Send(to="n2", datagram=probes[0][1]))
    probes = []
    while not probes:
        story.now_s = story.machine.due_s() + fraction_s
        probes = sent(story.feed(Tick()), Probe)
    arrives_s = story.now_s + 0.0001
    arrived = Received(source="n1", datagram=probes[0][1])
    told = other.handle(arrived, Now(arrives_s, WALL_MS + arrives_s * 1000))
    story.now_s += 0.0007
    story.hear("n2", sent(told, Ack)[0][1])
    member = story.machine.beliefs.members["n2"]
    assert member.rtt_s is not None
    assert member.clock_offset_s is not None
    assert member.rtt_s == pytest.approx(0.0007)
    assert abs(member.clock_offset_s) <= member.rtt_s / 2


def test_repr_tells_what_is_believed() -> None:
    assert repr(Story("n2", "n3").machine) == "Membership(n1: n2=alive n3=alive)"


def test_newcomer_to_a_large_mesh_does_not_tell_on_what_all_others_have_known_for_long() -> None:
    story = Story("n2", "n3", "n4", settings=Settings(full_probing_up_to=0))
    story.machine.beliefs.gossip.take(24, repeats=1)  # its own birth, and the roster's version
    view = (
        Rumour("n2", NodeState.ALIVE, BORN, at=5),
        Rumour("n3", NodeState.ALIVE, BORN, at=6),
        Rumour("n4", NodeState.DEAD, BORN, "n2", at=7),
    )
    story.hear("n2", Sync(incarnation=BORN, digest=1, rumours=view, answer=False))
    assert [r.name for r in story.machine.beliefs.gossip.take(24, repeats=1)] == ["n4"]
    # What is new to a view that knew the member already is told on, however it came.
    again = Rumour("n3", NodeState.ALIVE, BORN + 1, "n3", at=8)
    story.hear("n2", Sync(incarnation=BORN, digest=2, rumours=(again,), answer=False))
    assert story.machine.beliefs.gossip.take(24, repeats=1) == (again,)
