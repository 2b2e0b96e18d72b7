"""The roster and the clients: which are taken, and what becomes of their files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from nodeagent.register import MAX_CLIENTS_PER_USER, Register
from nodeagent.vouchers import MAX_TOLD, Vouchers
from ssi.mesh.vouching import Signer, signer_of
from ssi.model.node import RevokedKey, Roster, RosterEntry
from ssi.protocol.refusals import ClientRefused, RosterConflict

KEYS = KEY_A, KEY_B, KEY_C, KEY_D = "a" * 40, "b" * 40, "c" * 40, "d" * 40


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


def vouching(folder: Path, number: int) -> tuple[Register, Signer]:
    folder.mkdir(exist_ok=True)
    signer = signer_of(f"n{number}", f"secret {number}")
    vouchers = Vouchers(folder / "vouchers", signer)
    register = Register(signer.name, folder / "roster", folder / "clients", vouchers)
    return register, signer


def signing(version: int, *signers: Signer, user: str = "root") -> Roster:
    nodes = tuple(
        msgspec.structs.replace(entry(n, KEYS[n - 1]), signing_key=s.public, user=user)
        for n, s in enumerate(signers, 1)
    )
    return Roster(system="s", version=version, nodes=nodes, next_number=9)


def test_what_one_node_was_told_goes_through_others_as_signed_entries(tmp_path: Path) -> None:
    first, one = vouching(tmp_path / "1", 1)
    second, two = vouching(tmp_path / "2", 2)
    third, three = vouching(tmp_path / "3", 3)
    heard: list[int] = []
    third.on_change(lambda new: heard.append(new.version))
    for each in (first, second, third):
        each.install(signing(1, one, two, three))
    newer = signing(2, one, two, three, signer_of("n4", "secret 4"))
    assert first.install(newer)
    assert second.install_signed(first.signed_since(1))
    relayed, _ = vouching(tmp_path / "2", 2)  # kept over a restart
    assert third.install_signed(relayed.signed_since(1))
    assert third.roster == newer
    assert heard == [1, 2]
    assert third.signed_since(2) == ()


def test_entries_that_lead_nowhere_change_nothing(tmp_path: Path) -> None:
    first, one = vouching(tmp_path / "1", 1)
    second, two = vouching(tmp_path / "2", 2)
    for each in (first, second):
        each.install(signing(1, one, two))
    first.install(signing(2, one, two, signer_of("n3", "secret 3")))
    told = first.signed_since(1)
    assert not second.install_signed([told[0][:-1] + b"?"])
    assert not second.install_signed([b"\xc1"])
    assert not second.install_signed(list(told) * (MAX_TOLD + 1))
    assert second.roster == signing(1, one, two)


def test_whole_roster_is_taken_only_from_a_node_that_may_say_so(tmp_path: Path) -> None:
    register, one = vouching(tmp_path, 1)
    two = signer_of("n2", "secret 2")
    both = signing(1, one, two)
    ada = msgspec.structs.replace(both.nodes[1], user="ada")
    register.install(msgspec.structs.replace(both, nodes=(both.nodes[0], ada)))
    with pytest.raises(RosterConflict, match="n2 has no say"):
        register.install_of("n2", signing(2, one, two))
    with pytest.raises(RosterConflict, match="n9 has no say"):
        register.install_of("n9", signing(2, one, two))
    assert register.install_of("n1", signing(2, one, two))


def test_vouchers_that_cannot_be_read_are_as_good_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "vouchers").write_bytes(b"[{}")
    register, one = vouching(tmp_path, 1)
    assert "event=vouchers-unreadable" in caplog.text
    register.install(signing(1, one))
    assert register.signed_since(0) == ()
    register.install(signing(2, one, signer_of("n2", "secret 2")))
    assert len(register.signed_since(1)) == 1


def revoked(key: str, user: str = "") -> RevokedKey:
    return RevokedKey(public_key=key, user=user, by=f"{user or 'root'}@n1", at_ms=1)


def test_revoked_key_is_let_in_on_no_node_and_never_again(tmp_path: Path) -> None:
    first, one = vouching(tmp_path / "1", 1)
    away, two = vouching(tmp_path / "2", 2)
    for each in (first, away):
        each.install(signing(1, one, two))
        each.allow_client(KEY_C, "ada", "ada@laptop")
        each.allow_client(KEY_D, "ada")
    first.revoke(revoked(KEY_C))
    assert away.knows(KEY_C)
    assert first.roster is not None
    assert away.install_of("n1", first.roster)
    for folder in ("1", "2"):
        register, _ = vouching(tmp_path / folder, 1)  # kept over a restart
        assert register.clients == {KEY_D: "ada"}
        assert not register.knows(KEY_C)
        for user in ("ada", "bob"):
            with pytest.raises(ClientRefused, match="it was revoked"):
                register.allow_client(KEY_C, user)


def test_revocation_spreads_as_a_signed_entry(tmp_path: Path) -> None:
    first, one = vouching(tmp_path / "1", 1)
    second, two = vouching(tmp_path / "2", 2)
    for each in (first, second):
        each.install(signing(1, one, two))
        each.allow_client(KEY_C, "ada")
    first.revoke(revoked(KEY_D))
    first.revoke(revoked(KEY_C, "ada"))
    assert second.install_signed(first.signed_since(1))
    assert second.roster == first.roster
    assert second.clients == {}


def test_key_that_one_user_revoked_is_anothers_still(register: Register) -> None:
    register.install(roster())
    register.allow_client(KEY_C, "bob")
    register.revoke(revoked(KEY_C, "ada"))
    assert register.clients == {KEY_C: "bob"}


def test_one_user_cannot_fill_the_list_of_revoked_keys(register: Register) -> None:
    register.install(roster())
    for number in range(MAX_CLIENTS_PER_USER):
        register.revoke(revoked(f"{number:040d}", "ada"))
    with pytest.raises(ClientRefused, match="100 keys are revoked already"):
        register.revoke(revoked(KEY_C, "ada"))
    register.revoke(revoked(KEY_C))
    assert register.roster is not None
    assert register.roster.has_revoked(KEY_C, "ada")


def test_client_is_called_as_it_says_from_the_next_time_on(tmp_path: Path) -> None:
    register = again(tmp_path)
    register.allow_client(KEY_C, "ada")  # by a version that does not say
    register.allow_client(KEY_C, "ada", "ada@laptop")
    assert again(tmp_path).client_names == {KEY_C: "ada@laptop"}
