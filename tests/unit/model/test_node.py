"""What a roster must not hold."""

from __future__ import annotations

import msgspec
import pytest

from ssi.model.node import Roster, RosterEntry, is_public_key

KEYS = ["a" * 40, "b" * 40]


def entry(number: int, /, **changes: object) -> RosterEntry:
    made = RosterEntry(
        name=f"n{number}",
        number=number,
        public_key=KEYS[number % 2],
        address=f"10.77.0.{number}",
        control_port=7001,
        bulk_port=7002,
    )
    return msgspec.structs.replace(made, **changes)


def roster(*nodes: RosterEntry, version: int = 1, next_number: int = 3) -> Roster:
    return Roster(system="s", version=version, nodes=nodes, next_number=next_number)


def test_roster_without_fault_is_told_as_such() -> None:
    assert roster(entry(1), entry(2)).fault() == ""
    assert roster(next_number=1).fault() == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"address": ""},
        {"address": "10.0.0.1 evil"},
        {"address": "h/../x"},
        {"number": 0},
        {"number": -4},
        {"public_key": ""},
        {"public_key": "a" * 39},
        {"public_key": "a" * 39 + "\0"},
        {"public_key": "ä" * 40},
        {"control_port": 0},
        {"bulk_port": 65536},
    ],
)
def test_entry_with_a_fault_makes_the_roster_faulty(changes: dict[str, object]) -> None:
    assert roster(entry(1, **changes)).fault() != ""


def test_names_numbers_and_keys_are_unique() -> None:
    assert "names" in roster(entry(1), entry(2, name="n1")).fault()
    assert "numbers" in roster(entry(1), entry(2, number=1)).fault()
    assert "keys" in roster(entry(1), entry(2, public_key=KEYS[1])).fault()


def test_number_that_was_given_is_not_the_next_one() -> None:
    assert "next_number" in roster(entry(1), entry(2), next_number=2).fault()


def test_version_counts_from_one() -> None:
    assert "version" in roster(entry(1), version=0).fault()


def test_nodes_are_found_by_name_and_key() -> None:
    both = roster(entry(1), entry(2))
    assert both.node("n2") == both.node_by_key(KEYS[0]) == entry(2)
    assert both.node("n3") is both.node_by_key("c" * 40) is None


def test_public_key_is_forty_characters_of_z85() -> None:
    assert is_public_key("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID")
    assert not is_public_key("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{h'D")
