"""What holds of beliefs whatever rumours come, in whatever order, and however often."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssi.mesh.beliefs import Beliefs
from ssi.mesh.event import Now
from ssi.mesh.member import standing
from ssi.mesh.settings import LAN
from ssi.model.node import NodeState
from ssi.protocol.pulse import Rumour

NAMES = ["n2", "n3"]
RUMOURS = st.lists(
    st.builds(
        Rumour,
        name=st.sampled_from(NAMES),
        state=st.sampled_from(NodeState),
        incarnation=st.integers(min_value=0, max_value=4),
        by=st.sampled_from(["", "n2", "n3", "n4"]),
        at=st.integers(min_value=1, max_value=2**40),
    ),
    max_size=30,
)
NOW = Now(0.0, 0)


def having_heard(rumours: list[Rumour]) -> Beliefs:
    beliefs = Beliefs("n1", 1, "", LAN)
    beliefs.follow(dict.fromkeys(["n1", *NAMES], ""), NOW)
    for rumour in rumours:
        beliefs.hear(rumour, NOW)
    return beliefs


def view(beliefs: Beliefs) -> dict[str, tuple[NodeState, int]]:
    return {name: (m.state, m.incarnation) for name, m in beliefs.members.items()}


@given(RUMOURS, st.randoms(use_true_random=False))
def test_the_order_of_rumours_makes_no_difference(rumours, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(rumours)
    random.shuffle(shuffled)
    assert view(having_heard(rumours)) == view(having_heard(shuffled + rumours))


@given(RUMOURS)
def test_belief_only_ever_rises(rumours: list[Rumour]) -> None:
    beliefs = having_heard([])
    for rumour in rumours:
        before = {name: m.standing for name, m in beliefs.members.items()}
        beliefs.hear(rumour, NOW)
        assert all(m.standing >= before[name] for name, m in beliefs.members.items())
        heard = standing(rumour.incarnation, rumour.state)
        assert beliefs.members[rumour.name].standing >= heard


@given(RUMOURS)
def test_member_is_never_talked_into_being_dead_itself(rumours: list[Rumour]) -> None:
    beliefs = having_heard([])
    for rumour in rumours:
        about_me = Rumour("n1", rumour.state, rumour.incarnation, rumour.by, rumour.at)
        before = beliefs.me.incarnation
        beliefs.hear(about_me, NOW)
        assert beliefs.me.state is NodeState.ALIVE
        assert beliefs.me.incarnation >= before
        assert beliefs.me.standing >= standing(rumour.incarnation, rumour.state)


@given(RUMOURS, RUMOURS)
def test_two_that_tell_each_other_all_believe_the_same(
    ours: list[Rumour], theirs: list[Rumour]
) -> None:
    one, other = having_heard(ours), having_heard(theirs)
    for rumour in one.all_rumours():
        other.hear(rumour, NOW)
    for rumour in other.all_rumours():
        one.hear(rumour, NOW)
    assert view(one) == view(other)


def defined_digests(beliefs: Beliefs, parts: int) -> tuple[int, ...]:
    """From all that a view would tell, as every version makes them."""
    told = {(r.name, f"{r.name}|{r.state}|{r.incarnation}|{r.at}") for r in beliefs.all_rumours()}
    digests = [0] * parts
    for name, text in told:
        digests[zlib.crc32(name.encode()) % parts] ^= zlib.crc32(text.encode())
    return tuple(digests)


@pytest.mark.parametrize("name", ["n1", ""])
@given(rumours=RUMOURS, leaves=st.booleans(), refutes=st.booleans())
def test_what_is_kept_of_a_view_is_as_if_made_anew(
    name: str, rumours: list[Rumour], leaves: bool, refutes: bool
) -> None:
    beliefs = Beliefs(name, 1 if name else 0, "", LAN)
    beliefs.follow(dict.fromkeys(["n1", *NAMES], ""), NOW)
    for number, rumour in enumerate(rumours):
        beliefs.hear(rumour, NOW)
        if number == 5 and refutes:
            beliefs.hear(Rumour("n1", NodeState.SUSPECT, 9, "n2", 7), NOW)
        if number == 9 and leaves:
            beliefs.follow({"n1": "", "n3": "", "n4": ""}, NOW)
        assert [beliefs.digests(parts) for parts in (1, 2, 7)] == [
            defined_digests(beliefs, parts) for parts in (1, 2, 7)
        ]
        there = sorted(each for each, member in beliefs.members.items() if member.is_there)
        assert (beliefs.there, beliefs.gone) == (there, sorted(beliefs.members.keys() - there))
    for wanted in range(3):
        assert beliefs.rumours_of({wanted}, 3) == tuple(
            r for r in beliefs.all_rumours() if zlib.crc32(r.name.encode()) % 3 == wanted
        )
