"""What is left of a lab on disk where its removal was cut short."""

from __future__ import annotations

import shutil
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from ssi.lab import identity, state
from ssi.lab.blueprint import Blueprint


@pytest.fixture
def blueprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blueprint:
    monkeypatch.setattr(state, "STATE", tmp_path)
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
    made = Blueprint(name="half", subnet=IPv4Network("10.99.9.0/24"), size=2, image=tmp_path)
    state.save(made)
    identity.write_identities(made, tmp_path / "half")
    return made


def test_a_lab_whose_removal_was_cut_short_is_made_anew(
    blueprint: Blueprint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "half"
    before = (folder / "known_hosts").read_text()

    def cut_short(_folder: Path) -> None:
        (folder / "n2/upper/etc/ssh/ssh_host_ed25519_key.pub").unlink()
        (folder / "key.pub").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", cut_short)
        with pytest.raises(KeyboardInterrupt):
            state.remove("half")
    identity.write_identities(blueprint, folder)
    assert all((folder / host / "born").exists() for host in blueprint.hosts)
    authorized = (folder / "n1/upper/root/.ssh/authorized_keys").read_text()
    assert authorized.split()[1] in (folder / "key.pub").read_text()
    assert (folder / "known_hosts").read_text() != before, "with keys of its own"
