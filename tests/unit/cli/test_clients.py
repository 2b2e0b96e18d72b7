"""`ssi clients`: keys of many nodes as one list, and which key a word means."""

from __future__ import annotations

import pytest

from ssi.cli.clients import ClientUnknown, chosen_key
from ssi.cli.output import Output
from ssi.model.client import fingerprint
from ssi.protocol.system import ClientList, ClientRow
from ssi.view.clients import client_listing, known_keys
from ssi.view.listing import Format
from tests.schema import breaches

LAPTOP, DESK, OLD = "a" * 40, "b" * 40, "c" * 40
ANSWERS = {
    "n1": ClientList(
        rows=(
            ClientRow(public_key=LAPTOP, user="ada", name="ada@laptop"),
            ClientRow(public_key=DESK, user="bob", name="bob@desk"),
        )
    ),
    "n2": ClientList(rows=(ClientRow(public_key=LAPTOP, user="ada"),)),  # said to an older version
    "n3": ClientList(
        rows=(
            ClientRow(public_key=LAPTOP, user="ada", name="ada@laptop"),
            ClientRow(public_key=OLD, user="root", name="ada@laptop"),
        )
    ),
}
KNOWN = known_keys(ANSWERS, DESK)


def test_a_key_is_a_line_with_all_nodes_that_let_it_in() -> None:
    shown = Output().text(client_listing(KNOWN)).split()
    assert shown[:5] == ["KEY", "USER", "MACHINE", "NODES", "HERE"]
    rows = [(row.user, row.machine, row.nodes, row.here) for row in KNOWN]
    assert rows == [
        ("ada", "ada@laptop", ("n1", "n2", "n3"), False),
        ("root", "ada@laptop", ("n3",), False),
        ("bob", "bob@desk", ("n1",), True),
    ]


def test_programs_get_what_the_schema_promises() -> None:
    listing = client_listing(KNOWN)
    assert breaches(listing.objects_of(listing.rows), "clients") == []
    assert fingerprint(DESK) in Output(format=Format.NAME).text(listing)


@pytest.mark.parametrize(
    ("called", "meant"),
    [
        ("bob@desk", DESK),
        (fingerprint(OLD), OLD),
        (fingerprint(LAPTOP)[:4], LAPTOP),
        ("z" * 40, "z" * 40),  # no node that answers knows it
    ],
)
def test_a_key_is_meant_by_its_machine_its_digits_or_itself(called: str, meant: str) -> None:
    assert chosen_key(KNOWN, called) == meant


@pytest.mark.parametrize(
    ("called", "keys"),
    [
        ("ada@laptop", sorted([fingerprint(LAPTOP), fingerprint(OLD)])),
        (fingerprint(LAPTOP)[:3], []),  # too few digits to be sure of
        ("", []),
    ],
)
def test_a_word_that_means_no_key_or_several_revokes_none(called: str, keys: list[str]) -> None:
    with pytest.raises(ClientUnknown) as raised:
        chosen_key(KNOWN, called)
    assert raised.value.keys == keys
