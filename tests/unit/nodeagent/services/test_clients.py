"""Whose keys a node lists, and who may revoke one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nodeagent.dispatch import Caller
from nodeagent.register import Register
from nodeagent.services.clients import ClientKeys
from ssi.model.errors import SsiError
from ssi.model.node import Roster, RosterEntry
from ssi.protocol.refusals import ClientRefused, NotPermitted
from ssi.protocol.system import ListClients, RevokeClient

NODE, ADAS, BOBS, NOBODYS = "a" * 40, "b" * 40, "c" * 40, "d" * 40
ROOT, ADA = Caller(user="root"), Caller(user="ada", node="")


@pytest.fixture
def keys(tmp_path: Path) -> ClientKeys:
    register = Register("n1", tmp_path / "roster", tmp_path / "clients")
    node = RosterEntry(
        name="n1", number=1, public_key=NODE, address="10.0.0.1", control_port=1, bulk_port=2
    )
    register.install(Roster(system="s", version=1, nodes=(node,), next_number=2))
    register.allow_client(ADAS, "ada", "ada@laptop")
    register.allow_client(BOBS, "bob")
    return ClientKeys("n1", register)


def listed(keys: ClientKeys, caller: Caller) -> set[tuple[str, str, str]]:
    rows = asyncio.run(keys._list(caller, ListClients())).rows
    return {(row.public_key, row.user, row.name) for row in rows}


def revoke(keys: ClientKeys, caller: Caller, public_key: str) -> SsiError | None:
    try:
        asyncio.run(keys._revoke(caller, RevokeClient(public_key=public_key)))
    except SsiError as exc:
        return exc
    return None


def test_each_sees_keys_of_their_own_and_root_all(keys: ClientKeys) -> None:
    assert listed(keys, ADA) == {(ADAS, "ada", "ada@laptop")}
    assert listed(keys, ROOT) == {(ADAS, "ada", "ada@laptop"), (BOBS, "bob", "")}


@pytest.mark.parametrize("public_key", [BOBS, NOBODYS])
def test_nobody_but_root_revokes_a_key_of_another(keys: ClientKeys, public_key: str) -> None:
    assert isinstance(revoke(keys, ADA, public_key), NotPermitted)
    assert revoke(keys, ROOT, public_key) is None
    assert listed(keys, ROOT) == {(ADAS, "ada", "ada@laptop")} | (
        set() if public_key == BOBS else {(BOBS, "bob", "")}
    )


@pytest.mark.parametrize("public_key", [NODE, "no key"])
def test_key_of_a_node_is_not_revoked(keys: ClientKeys, public_key: str) -> None:
    assert isinstance(revoke(keys, ROOT, public_key), ClientRefused)


def test_own_key_is_revoked_once_with_who_did_it(keys: ClientKeys) -> None:
    assert revoke(keys, ADA, ADAS) is None
    assert revoke(keys, ADA, ADAS) is None
    assert listed(keys, ADA) == set()
    roster = keys._register.roster
    assert roster is not None
    assert roster.version == 2
    (row,) = roster.revoked
    assert (row.public_key, row.user, row.name, row.by) == (ADAS, "ada", "ada@laptop", "ada@n1")
