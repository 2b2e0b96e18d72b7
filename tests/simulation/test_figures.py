"""How fast and how cheap membership is: eight members with all against all, and a thousand."""

from __future__ import annotations

from functools import partial
from statistics import mean, quantiles

import pytest

from ssi.mesh.settings import WAN
from ssi.model.node import NodeState
from tests.simulation.world import World

EIGHT = [f"n{number}" for number in range(1, 9)]


def seconds_until(world: World, name: str, state: NodeState, limit_s: float) -> float:
    """After how long all the others believe that of a member."""
    began_s = world.now_s
    while not all(
        world.knows(host.name, name, state) for host in world.running() if host.name != name
    ):
        assert world.now_s - began_s < limit_s, world.disagreements()[:5]
        world.run(world.now_s + 0.1)
    return world.now_s - began_s


def test_a_killed_member_of_eight_is_dead_to_all_within_five_seconds() -> None:
    took_s = []
    for seed in range(50):
        world = World(seed)
        world.begin(EIGHT)
        world.run(world.random.uniform(5.0, 7.0))
        world.kill("n3")
        took_s.append(seconds_until(world, "n3", NodeState.DEAD, 15.0))
    assert quantiles(took_s, n=100)[49] <= 5.0
    assert quantiles(took_s, n=100)[98] <= 10.0


def test_two_of_eight_that_pause_at_random_are_never_believed_dead() -> None:
    world = World(1)
    world.begin(EIGHT)
    world.run(3.0)
    while world.now_s < 600.0:
        for name in world.random.sample(EIGHT, 2):
            world.pause(name)
            lasts_s = world.random.uniform(0.5, 3.0)
            world.at(world.now_s + lasts_s, partial(world.resume, name))
        world.run(world.now_s + world.random.uniform(3.2, 5.0))
    assert [s for s in world.sightings if s.after is NodeState.DEAD] == []


def test_five_percent_of_loss_kills_nobody_in_ten_minutes() -> None:
    world = World(2)
    world.network.loss = 0.05
    world.begin(EIGHT)
    world.run(600.0)
    assert [s for s in world.sightings if s.after is NodeState.DEAD] == []


def test_slow_and_lossy_links_between_sites_kill_nobody_and_a_death_is_known_in_half_a_minute() -> (
    None
):
    world = World(8, WAN)
    world.network.loss, world.network.straggling = 0.03, 0.01
    world.network.delay_s = (0.05, 0.25)
    world.begin(EIGHT)
    world.run(600.0)
    assert [s for s in world.sightings if s.after is NodeState.DEAD] == []
    world.kill("n3")
    assert seconds_until(world, "n3", NodeState.DEAD, 60.0) <= 30.0


def test_a_member_that_was_paused_for_half_a_minute_refutes_within_five_seconds() -> None:
    world = World(3)
    world.begin(EIGHT)
    world.run(5.0)
    world.pause("n5")
    assert seconds_until(world, "n5", NodeState.DEAD, 10.0) <= 6.0
    world.run(35.0)
    world.resume("n5")
    assert seconds_until(world, "n5", NodeState.ALIVE, 10.0) <= 5.0


def test_a_member_that_leaves_has_left_and_is_not_dead() -> None:
    world = World(4)
    world.begin(EIGHT)
    world.run(5.0)
    world.leave("n2")
    assert seconds_until(world, "n2", NodeState.LEFT, 2.0) <= 1.0
    world.run(20.0)
    assert {s.after for s in world.sightings if s.name == "n2"} == {NodeState.LEFT}


def test_a_member_that_comes_back_elsewhere_is_known_there_by_all() -> None:
    world = World(5)
    world.begin(EIGHT)
    world.run(5.0)
    world.kill("n2")
    seconds_until(world, "n2", NodeState.DEAD, 10.0)
    world.boot("n2", address="10.9.9.9")
    seconds_until(world, "n2", NodeState.ALIVE, 5.0)
    world.run(world.now_s + 3.0)
    for host in world.running():
        if host.name != "n2":
            assert host.machine.beliefs.members["n2"].address == "10.9.9.9"


def test_all_members_tell_what_happened_in_one_order() -> None:
    world = World(6)
    world.begin(EIGHT)
    for host in world.hosts.values():
        host.skew_ms = world.random.randint(-60_000, 60_000)
    world.run(5.0)
    world.pause("n2")
    world.run(8.0)
    world.resume("n2")
    world.run(12.0)
    world.kill("n3")
    world.run(25.0)
    stories = [
        [(r.name, r.state, r.incarnation, r.at) for r in host.machine.beliefs.chronicle.entries()]
        for host in world.running()
    ]
    assert all(story == stories[0] for story in stories)
    about_n2 = [state for name, state, _, _ in stories[0] if name == "n2"]
    assert about_n2 == [NodeState.ALIVE, NodeState.SUSPECT, NodeState.ALIVE]
    assert stories[0][-1][:2] == ("n3", NodeState.DEAD)


def test_a_mesh_that_was_halved_is_whole_again_within_seconds() -> None:
    names = [f"n{number}" for number in range(1, 61)]
    world = World(9)
    world.begin_settled(names)
    world.network.side.update({name: number % 2 for number, name in enumerate(names)})
    world.run(30.0)
    assert len(world.disagreements()) == 60 * 30  # each half believes the other dead
    world.network.heal()
    world.run(50.0)
    assert world.disagreements() == []


@pytest.mark.timeout(600)
def test_a_thousand_members_learn_fast_and_pay_little() -> None:
    world = World(7)
    world.begin_settled([f"n{number}" for number in range(1, 1001)])
    world.run(1.0)
    world.join("x1", told=["n7"])
    assert seconds_until(world, "x1", NodeState.ALIVE, 20.0) <= 8.0
    world.kill("n500")
    sent: list[float] = []

    def count_bytes(world: World) -> None:
        sent.append(sum(world.bytes.values()) / len(world.running()))

    began_s = world.now_s
    world.run(began_s + 20.0, count_bytes)
    observers = [host.name for host in world.running()]
    assert all(world.knows(name, "n500", NodeState.DEAD) for name in observers)
    assert {s.name for s in world.sightings if s.after is NodeState.DEAD} == {"n500"}
    quiet = sorted(sent)[: len(sent) // 2]
    assert mean(quiet) <= 120.0
    # A join and a death within twenty seconds are much more than there is on most days.
    assert mean(sent) <= 200.0
