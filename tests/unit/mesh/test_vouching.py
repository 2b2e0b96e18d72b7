"""Whom a node believes about the roster: what leads to a newer one, and what leads to none."""

from __future__ import annotations

import msgspec
import pytest

from ssi.mesh.vouching import (
    DIGEST_BYTES,
    Signer,
    changes,
    digest_of,
    follow,
    may_change,
    signer_of,
)
from ssi.model.node import RevokedKey, Roster, RosterEntry
from ssi.model.sha512 import sha512
from ssi.protocol.codec import BadMessage, decode_statement, encode_statement
from ssi.protocol.pulse import SignedEntry

SIGNERS = {name: signer_of(name, f"secret of {name}") for name in ("n1", "n2", "n3", "n4")}


def entry(number: int, user: str = "root", address: str = "") -> RosterEntry:
    name = f"n{number}"
    return RosterEntry(
        name=name,
        number=number,
        public_key=name[1] * 40,
        address=address or f"10.0.0.{number}",
        control_port=7001,
        bulk_port=7002,
        user=user,
        signing_key=SIGNERS[name].public,
    )


def roster(version: int, *entries: RosterEntry) -> Roster:
    return Roster(system="s", version=version, nodes=entries, next_number=5)


OLD = roster(1, entry(1), entry(2, "ada"))
JOINED = roster(2, *OLD.nodes, entry(3))


def vouched(signer: Signer, before: Roster, after: Roster) -> list[SignedEntry]:
    return [signer.vouch(each) for each in changes(before, after)]


def test_a_join_a_change_and_a_leave_are_followed_in_any_order() -> None:
    moved = roster(3, entry(1), entry(2, "ada", address="10.9.9.9"), entry(3))
    gone = roster(4, entry(1), moved.nodes[1])
    told = [
        *vouched(SIGNERS["n1"], OLD, JOINED),
        *vouched(SIGNERS["n1"], JOINED, moved),
        *vouched(SIGNERS["n1"], moved, gone),
    ]
    assert follow(OLD, reversed(told[1:])) == gone  # the newest of each name is enough
    assert follow(OLD, told[:1]) == JOINED


def test_node_that_joined_a_moment_ago_vouches_for_the_next() -> None:
    after = roster(3, *JOINED.nodes, entry(4))
    told = [*vouched(SIGNERS["n1"], OLD, JOINED), *vouched(SIGNERS["n3"], JOINED, after)]
    assert follow(OLD, told) == after


def test_entry_that_was_altered_on_its_way_is_not_followed() -> None:
    (signed,) = vouched(SIGNERS["n1"], OLD, JOINED)
    statement = decode_statement(signed.statement)
    assert statement.entry is not None
    mine = msgspec.structs.replace(statement.entry, public_key="9" * 40)
    altered = encode_statement(msgspec.structs.replace(statement, entry=mine))
    assert follow(OLD, [msgspec.structs.replace(signed, statement=altered)]) is None


def test_entry_of_a_signer_that_is_no_node_is_not_followed() -> None:
    assert follow(OLD, vouched(SIGNERS["n4"], OLD, JOINED)) is None
    assert follow(OLD, vouched(Signer("n1", b"x" * 32), OLD, JOINED)) is None


def test_node_of_an_ordinary_user_brings_in_its_own_user_and_nobody_else() -> None:
    own = roster(2, *OLD.nodes, entry(3, "ada"))
    assert follow(OLD, vouched(SIGNERS["n2"], OLD, own)) == own
    assert may_change(OLD.nodes[1], OLD, own)
    for forbidden in (
        JOINED,  # a node of root's
        roster(2, entry(1), entry(2, "root")),  # itself as root's
        roster(2, entry(1, "ada"), entry(2, "ada")),  # root's as its own
        roster(2, entry(2, "ada")),  # without root's
    ):
        assert follow(OLD, vouched(SIGNERS["n2"], OLD, forbidden)) is None
        assert not may_change(OLD.nodes[1], OLD, forbidden)
        assert may_change(OLD.nodes[0], OLD, forbidden)


def test_part_of_what_changed_leads_nowhere() -> None:
    after = roster(2, *OLD.nodes, entry(3), entry(4))
    told = vouched(SIGNERS["n1"], OLD, after)
    assert len(told) == 2
    assert follow(OLD, told[:1]) is None
    assert follow(OLD, []) is None


def test_entries_of_old_versions_and_of_other_systems_lead_nowhere() -> None:
    told = vouched(SIGNERS["n1"], OLD, JOINED)
    assert follow(JOINED, told) is None
    assert follow(msgspec.structs.replace(OLD, system="other"), told) is None


def test_statement_that_cannot_be_read_is_told_as_such() -> None:
    with pytest.raises(BadMessage):
        follow(OLD, [SignedEntry(statement=b"\xc1", signer="n1", signature=b"")])


def test_digest_is_that_of_the_content() -> None:
    assert digest_of(OLD) == digest_of(roster(1, *OLD.nodes)) != digest_of(JOINED)


def test_secret_is_in_no_repr() -> None:
    assert repr(SIGNERS["n1"]) == "Signer(n1)"


def without(*revoked: RevokedKey, version: int = 2) -> Roster:
    return msgspec.structs.replace(OLD, version=version, revoked=revoked)


ROOTS, ADAS = RevokedKey(public_key="x" * 40), RevokedKey(public_key="y" * 40, user="ada")


@pytest.mark.parametrize(
    ("signer", "after", "is_believed"),
    [
        ("n1", without(ROOTS), True),
        ("n1", without(ROOTS, ADAS), True),
        ("n2", without(ADAS), True),
        ("n2", without(ROOTS), False),
        ("n2", without(ROOTS, ADAS), False),
    ],
)
def test_agent_without_root_revokes_keys_of_its_own_user_alone(
    signer: str, after: Roster, is_believed: bool
) -> None:
    told = vouched(SIGNERS[signer], OLD, after)
    assert follow(OLD, told) == (after if is_believed else None)
    sayer = OLD.node(signer)
    assert sayer is not None
    assert may_change(sayer, OLD, after) == is_believed


def test_only_who_may_revoke_a_key_may_drop_it_from_the_list() -> None:
    after = without(version=3)
    assert may_change(OLD.nodes[0], without(ROOTS), after)
    assert may_change(OLD.nodes[1], without(ADAS), after)
    assert not may_change(OLD.nodes[1], without(ROOTS), after)


def test_digest_is_what_older_versions_make_of_it_while_no_key_is_revoked() -> None:
    older = ("s", 1, OLD.nodes, 5, "lan")
    assert digest_of(OLD) == sha512(msgspec.msgpack.encode(older))[:DIGEST_BYTES]
    assert digest_of(without(ROOTS)) != digest_of(without(ADAS)) != digest_of(without())
