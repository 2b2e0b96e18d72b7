"""Whether a host's key is trusted, and what the user is asked."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ssi.deploy.hostkey import Trust, preferred_algorithms
from ssi.deploy.known_hosts import HostKey, format_line
from ssi.deploy.target import Target
from ssi.deploy.unreached import HostKeyChanged, HostKeyRevoked, HostKeyUnknown

SHOWN = HostKey(algorithm="ssh-ed25519", blob=b"a" * 32)
OTHER = HostKey(algorithm="ssh-ed25519", blob=b"b" * 32)


@pytest.fixture
def target(tmp_path: Path) -> Target:
    file = tmp_path / ".ssh" / "known_hosts"
    return Target(
        name="n1", alias="n1", spelled="n1", hostname="10.0.0.1", user_known_hosts=(file,)
    )


def known_hosts_of(target: Target) -> Path:
    return target.user_known_hosts[0]


def know(target: Target, line: str) -> None:
    known_hosts_of(target).parent.mkdir()
    known_hosts_of(target).write_text(line)


def test_an_unknown_key_is_refused_where_nobody_can_be_asked(target: Target) -> None:
    with pytest.raises(HostKeyUnknown, match=SHOWN.fingerprint):
        Trust().check(target, SHOWN)
    assert not known_hosts_of(target).exists()


def test_an_unknown_key_is_asked_for_once_and_kept_in_a_private_file(target: Target) -> None:
    questions: list[str] = []

    def yes(question: str) -> bool:
        questions.append(question)
        return True

    trust = Trust(ask=yes)
    trust.check(target, SHOWN)
    trust.check(target, SHOWN)
    assert len(questions) == 1
    assert SHOWN.fingerprint in questions[0]
    assert stat.S_IMODE(known_hosts_of(target).stat().st_mode) == 0o600
    Trust().check(target, SHOWN)


def test_a_key_that_the_user_declines_is_refused(target: Target) -> None:
    with pytest.raises(HostKeyUnknown):
        Trust(ask=lambda _: False).check(target, SHOWN)


def test_strict_yes_never_asks(target: Target) -> None:
    with pytest.raises(HostKeyUnknown):
        Trust(ask=lambda _: True).check(replace(target, strict="yes"), SHOWN)


def test_accept_new_takes_a_new_key_and_never_a_changed_one(target: Target) -> None:
    trust = Trust(accept_new=True)
    trust.check(target, SHOWN)
    with pytest.raises(HostKeyChanged) as caught:
        trust.check(target, OTHER)
    assert SHOWN.fingerprint in str(caught.value)
    assert OTHER.fingerprint in str(caught.value)


def test_a_revoked_key_is_refused_although_it_is_on_file(target: Target) -> None:
    line = format_line("10.0.0.1", SHOWN, hashed=False)
    know(target, f"{line}@revoked {line}")
    with pytest.raises(HostKeyRevoked):
        Trust(accept_new=True).check(target, SHOWN)


def test_a_new_line_is_not_swallowed_by_a_last_line_without_its_end(target: Target) -> None:
    know(target, format_line("n9", OTHER, hashed=False).rstrip("\n"))
    Trust(accept_new=True).check(target, SHOWN)
    assert len(known_hosts_of(target).read_text().splitlines()) == 2
    Trust().check(target, SHOWN)


def test_host_key_alias_names_the_key(target: Target) -> None:
    know(target, format_line("web", SHOWN, hashed=False))
    Trust().check(replace(target, host_key_name="Web"), SHOWN)


def test_a_host_is_asked_for_its_known_algorithms_first(target: Target) -> None:
    know(target, format_line("10.0.0.1", replace(SHOWN, algorithm="ssh-rsa"), hashed=False))
    order = preferred_algorithms(target, ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"])
    assert order == ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"]
