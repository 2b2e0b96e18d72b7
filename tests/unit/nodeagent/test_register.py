"""The roster and the clients: which are taken, and what becomes of their files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from nodeagent.register import MAX_CLIENTS_PER_USER, Register
from ssi.model.node import Roster, RosterEntry
from ssi.protocol.refusals import ClientRefused, RosterConflict

KEY_A, KEY_B, KEY_C = "a" * 40, "b" * 40, "c" * 40


def entry(number: int, key: str) -> RosterEntry:
    return RosterEntry(
        name=f"n{number}", number=number, public_key=key, address=f"10.77.0.{number}",
        control_port=7001, bulk_port=7002,
    )  # fmt: skip


def roster(version: int = 1, *, system: str = "s", nodes: int = 2) -> Roster:
    entries = (entry(1, KEY_A), entry(2, KEY_B))[:nodes]
    return Roster(system=system, version=version, nodes=entries, next_number=3)


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register("n1", tmp_path / "roster", tmp_path / "clients")


def again(tmp_path: Path) -> Register:
    return Register("n1", tmp_path / "roster", tmp_path / "clients")


def test_new_register_knows_nobody(register: Register) -> None:
    assert register.roster is None
    assert register.clients == {}
    assert not register.knows(KEY_A)


def test_roster_and_clients_are_there_after_a_restart(register: Register, tmp_path: Path) -> None:
    assert register.install(roster(3))
    register.allow_client(KEY_C, "ada")
    after = again(tmp_path)
    assert after.roster == roster(3)
    assert after.clients == {KEY_C: "ada"}
    assert all(after.knows(key) for key in (KEY_A, KEY_B, KEY_C))


def test_files_are_private_whatever_the_umask(register: Register, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        register.install(roster())
        register.allow_client(KEY_C, "ada")
    finally:
        os.umask(before)
    for name in ("roster", "clients"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_older_or_equal_roster_changes_nothing(register: Register) -> None:
    seen: list[int] = []
    register.on_change(lambda made: seen.append(made.version))
    assert register.install(roster(2))
    assert not register.install(roster(2))
    assert not register.install(roster(1, nodes=1))
    assert register.roster == roster(2)
    assert seen == [2]


def test_two_rosters_of_one_version_are_a_conflict(register: Register) -> None:
    register.install(roster(2))
    with pytest.raises(RosterConflict, match="two rosters of version 2 differ"):
        register.install(roster(2, nodes=1))
    assert register.roster == roster(2)


def test_roster_of_another_system_is_a_conflict_whatever_its_version(register: Register) -> None:
    register.install(roster(2))
    with pytest.raises(RosterConflict, match="another system"):
        register.install(roster(9, system="t"))
    assert register.roster == roster(2)


def test_faulty_roster_is_neither_installed_nor_kept(register: Register, tmp_path: Path) -> None:
    """An agent that kept one would break on it at each of its starts."""
    bad = msgspec.structs.replace(roster(), nodes=(entry(1, "no key"),))
    with pytest.raises(RosterConflict, match="public key"):
        register.install(bad)
    assert register.roster is None
    assert not (tmp_path / "roster").exists()


def test_full_disk_leaves_the_roster_as_it_was(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.install(roster(1))

    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nodeagent.register.replace_file", full)
    with pytest.raises(OSError, match="No space"):
        register.install(roster(2, nodes=1))
    assert register.roster == roster(1)
    assert again(tmp_path).roster == roster(1)


def test_node_that_is_taken_out_is_unknown_at_once(register: Register) -> None:
    register.install(roster(1))
    assert register.knows(KEY_B)
    register.install(roster(2, nodes=1))
    assert not register.knows(KEY_B)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null\n", b"[]", b"\xff\xfe", b'["s"]', b'"x"', b"[" * 100_000, b"\0" * 64],
)  # fmt: skip
@pytest.mark.parametrize("name", ["roster", "clients"])
def test_file_that_cannot_be_read_is_put_aside_and_lets_nobody_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    made = again(tmp_path)
    assert made.roster is None
    assert made.clients == {}
    assert (tmp_path / f"{name}.unreadable").read_bytes() == content
    assert not (tmp_path / name).exists()
    assert "event=register-unreadable" in caplog.text
    assert made.install(roster())


def test_client_cannot_take_the_key_of_another_user(register: Register) -> None:
    register.allow_client(KEY_C, "ada")
    for user in ("eve", "root"):
        with pytest.raises(ClientRefused, match="somebody else"):
            register.allow_client(KEY_C, user)
    register.allow_client(KEY_C, "ada")
    assert register.clients == {KEY_C: "ada"}


def test_client_cannot_have_the_key_of_a_node(register: Register) -> None:
    register.install(roster())
    with pytest.raises(ClientRefused):
        register.allow_client(KEY_B, "eve")


@pytest.mark.parametrize("key", ["", "a" * 39, "a" * 41, "a" * 39 + "\n", "ä" * 40, "a" * 10**6])
def test_client_needs_a_key(register: Register, key: str) -> None:
    with pytest.raises(ClientRefused, match="no public key"):
        register.allow_client(key, "ada")


def test_one_user_cannot_fill_the_register(register: Register) -> None:
    for number in range(MAX_CLIENTS_PER_USER):
        register.allow_client(f"{number:040d}", "ada")
    with pytest.raises(ClientRefused, match="already"):
        register.allow_client(KEY_A, "ada")
    register.allow_client(KEY_A, "bob")


def test_client_mode_agent_has_no_clients(tmp_path: Path) -> None:
    made = Register("", tmp_path / "cluster", None)
    made.allow_client(KEY_A, "ada")
    assert made.clients == {}
    assert not made.knows(KEY_A)
