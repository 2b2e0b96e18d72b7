"""Numbers in the roster."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from ssi.deploy.enrolment import Candidate, dismiss, enrol, newest
from ssi.model.node import RevokedKey, Roster

EMPTY = Roster(system="s", version=0)


def candidate(name: str) -> Candidate:
    return Candidate(
        name=name,
        public_key=name * 20,
        address="10.0.0.1",
        control_port=1,
        bulk_port=2,
        python="3.13.5",
        ssh_target=name,
    )


def numbers(roster: Roster) -> dict[str, int]:
    return {entry.name: entry.number for entry in roster.nodes}


def test_new_nodes_get_numbers_in_the_order_given() -> None:
    roster = enrol(EMPTY, [candidate("n2"), candidate("n1")])
    assert numbers(roster) == {"n2": 1, "n1": 2}
    assert (roster.version, roster.next_number) == (1, 3)


def test_the_same_hosts_again_change_nothing() -> None:
    roster = enrol(EMPTY, [candidate("n1")])
    assert enrol(roster, [candidate("n1")]) is roster


def test_profile_is_kept_until_another_is_named() -> None:
    far = enrol(EMPTY, [candidate("n1")], "wan")
    assert (far.profile, enrol(far, [candidate("n2")]).profile) == ("wan", "wan")
    assert dismiss(enrol(far, [candidate("n2")]), {"n2"}).profile == "wan"
    near = enrol(far, [candidate("n1")], "lan")
    assert (near.profile, near.version) == ("lan", far.version + 1)


def test_a_known_name_keeps_its_number_with_a_new_key() -> None:
    roster = enrol(EMPTY, [candidate("n1"), candidate("n2")])
    again = enrol(roster, [replace(candidate("n1"), public_key="z" * 40)])
    assert numbers(again) == {"n1": 1, "n2": 2}
    assert again.node_by_key("z" * 40) is not None
    assert again.version == roster.version + 1


def test_a_number_is_never_given_twice() -> None:
    roster = enrol(EMPTY, [candidate("n1"), candidate("n2")])
    roster = dismiss(roster, {"n2"})
    roster = enrol(roster, [candidate("n3")])
    assert numbers(roster) == {"n1": 1, "n3": 3}
    assert numbers(enrol(roster, [candidate("n2")])) == {"n1": 1, "n3": 3, "n2": 4}


def test_dismissing_nobody_changes_nothing() -> None:
    roster = enrol(EMPTY, [candidate("n1")])
    assert dismiss(roster, {"n9"}) is roster


def test_a_newer_roster_of_the_same_system_is_taken_over() -> None:
    own = enrol(EMPTY, [candidate("n1")])
    newer = enrol(own, [candidate("n2")])
    assert newest(own, [EMPTY, newer]) is newer


def test_what_was_revoked_is_not_lost_to_a_roster_that_an_older_version_kept() -> None:
    own = enrol(EMPTY, [candidate("n1")])
    knows = msgspec.structs.replace(own, revoked=(RevokedKey(public_key="a" * 40),))
    assert newest(own, [knows]) is knows
    assert newest(knows, [own]) is knows
    assert enrol(knows, [candidate("n2")]).revoked == knows.revoked
    assert dismiss(knows, ["n1"]).revoked == knows.revoked


def test_a_roster_of_another_system_is_taken_over_by_nobody_who_has_one() -> None:
    own = enrol(EMPTY, [candidate("n1")])
    other = Roster(system="t", version=9)
    assert newest(own, [other]) is own
    assert newest(None, [other, own]) is other
    assert newest(None, []) is None
