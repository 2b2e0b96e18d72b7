"""Membership told as stories: who was heard when, and what is believed of whom."""

from __future__ import annotations

import pytest

from ssi.mesh.membership import (
    Changed,
    Heard,
    Instruction,
    MemberAdded,
    MemberRemoved,
    Membership,
    Probe,
    Tick,
    state_of_silence,
)
from ssi.mesh.settings import Settings
from ssi.model.node import NodeState

SETTINGS = Settings(probe_interval_s=1.0, suspect_after_s=2.3, dead_after_s=4.2)


def observer(*names: str) -> Membership:
    made = Membership(SETTINGS)
    for name in names:
        made.handle(MemberAdded(name=name), 0.0)
    return made


def tick_to(mesh: Membership, begin_s: float, end_s: float) -> list[tuple[float, Instruction]]:
    told = []
    for quarter in range(round(begin_s * 4), round(end_s * 4) + 1):
        now_s = quarter / 4
        told += [(now_s, instruction) for instruction in mesh.handle(Tick(), now_s)]
    return told


def changes(told: list[tuple[float, Instruction]]) -> list[tuple[float, str]]:
    return [(now_s, i.after) for now_s, i in told if isinstance(i, Changed)]


def test_new_member_is_probed_at_once_and_every_interval() -> None:
    told = tick_to(observer("n2"), 0.0, 2.0)
    assert [now_s for now_s, i in told if i == Probe(name="n2")] == [0.0, 1.0, 2.0]


def test_silent_member_becomes_suspect_and_then_dead_once_each() -> None:
    told = tick_to(observer("n2"), 0.0, 10.0)
    assert changes(told) == [(2.5, NodeState.SUSPECT), (4.25, NodeState.DEAD)]


def test_death_is_known_within_five_seconds_of_the_last_word() -> None:
    mesh = observer("n2")
    tick_to(mesh, 0.0, 3.0)
    mesh.handle(Heard(name="n2", incarnation=1), 3.0)
    (_suspect, (dead_s, state)) = changes(tick_to(mesh, 3.25, 10.0))
    assert state is NodeState.DEAD
    assert dead_s - 3.0 < 5.0


def test_member_that_pauses_for_three_seconds_is_not_given_up() -> None:
    mesh = observer("n2")
    mesh.handle(Heard(name="n2", incarnation=1), 0.0)
    told = tick_to(mesh, 0.25, 3.0)
    assert changes(told) == [(2.5, NodeState.SUSPECT)]
    back = mesh.handle(Heard(name="n2", incarnation=1), 3.1)
    assert back == [
        Changed(name="n2", before=NodeState.SUSPECT, after=NodeState.ALIVE, silent_s=0.0)
    ]


def test_dead_member_is_still_probed_and_comes_back_when_heard() -> None:
    mesh = observer("n2")
    told = tick_to(mesh, 0.0, 20.0)
    assert sum(isinstance(i, Probe) for _now_s, i in told) == 21
    assert changes(told)[-1] == (4.25, NodeState.DEAD)
    mesh.handle(Heard(name="n2", incarnation=9), 20.5)
    assert mesh.members["n2"].state is NodeState.ALIVE


def test_word_of_an_older_incarnation_revives_nobody() -> None:
    mesh = observer("n2")
    mesh.handle(Heard(name="n2", incarnation=5), 0.0)
    tick_to(mesh, 0.25, 6.0)
    assert mesh.handle(Heard(name="n2", incarnation=4), 6.1) == []
    assert mesh.members["n2"].state is NodeState.DEAD
    assert mesh.members["n2"].incarnation == 5


def test_stranger_is_not_taken_in_by_being_heard() -> None:
    mesh = observer("n2")
    assert mesh.handle(Heard(name="n9", incarnation=1), 1.0) == []
    assert set(mesh.members) == {"n2"}


def test_removed_member_is_neither_probed_nor_judged() -> None:
    mesh = observer("n2", "n3")
    mesh.handle(MemberRemoved(name="n2"), 0.5)
    mesh.handle(MemberRemoved(name="n2"), 0.5)
    told = tick_to(mesh, 1.0, 6.0)
    assert {i.name for _now_s, i in told} == {"n3"}


def test_member_that_is_added_again_keeps_what_is_known_of_it() -> None:
    mesh = observer("n2")
    mesh.handle(Heard(name="n2", incarnation=7), 1.0)
    mesh.handle(MemberAdded(name="n2"), 3.0)
    assert (mesh.members["n2"].incarnation, mesh.members["n2"].heard_at_s) == (7, 1.0)


def test_member_that_never_spoke_is_known_as_such() -> None:
    mesh = observer("n2")
    assert not mesh.members["n2"].ever_heard
    mesh.handle(Heard(name="n2", incarnation=0), 1.0)
    assert mesh.members["n2"].ever_heard


@pytest.mark.parametrize(
    ("silent_s", "state"),
    [
        (-1.0, NodeState.ALIVE),
        (0.0, NodeState.ALIVE),
        (2.299, NodeState.ALIVE),
        (2.3, NodeState.SUSPECT),
        (4.199, NodeState.SUSPECT),
        (4.2, NodeState.DEAD),
        (float("inf"), NodeState.DEAD),
    ],
)
def test_silence_means_what_the_settings_say(silent_s: float, state: NodeState) -> None:
    assert state_of_silence(silent_s, SETTINGS) is state


@pytest.mark.parametrize(
    "times", [(0.0, 2.0, 3.0), (1.0, 1.0, 3.0), (1.0, 3.0, 3.0), (-1.0, 2.0, 3.0)]
)
def test_settings_out_of_order_are_a_bug(times: tuple[float, float, float]) -> None:
    probe_s, suspect_s, dead_s = times
    with pytest.raises(AssertionError):
        Settings(probe_interval_s=probe_s, suspect_after_s=suspect_s, dead_after_s=dead_s)


def test_settings_show_a_death_within_five_seconds() -> None:
    assert Settings().dead_after_s + Settings().probe_interval_s / 4 < 5.0


def test_repr_tells_what_is_believed() -> None:
    assert repr(observer("n2", "n3")) == "Membership(n2=alive n3=alive)"
