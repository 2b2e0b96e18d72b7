from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ssi.lab import requirements
from ssi.lab.errors import LabUnavailableError
from ssi.lab.requirements import check_machine


def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_an_ordinary_user_is_told_to_use_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabUnavailableError, match="sudo"):
        check_machine()


def test_missing_programs_are_named_with_the_packages_that_bring_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_root(monkeypatch)
    monkeypatch.setattr(shutil, "which", lambda _program, **_: None)
    with pytest.raises(LabUnavailableError) as failed:
        check_machine()
    assert "no mmdebstrap" in failed.value.missing
    assert failed.value.advice() == (
        "apt-get install iproute2 mmdebstrap mount openssh-client util-linux"
    )


def test_a_container_without_rights_is_told_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_root(monkeypatch)
    monkeypatch.setattr(shutil, "which", lambda program, **_: f"/bin/{program}")
    monkeypatch.setattr(requirements, "hierarchy", lambda: Path("/nowhere"))
    monkeypatch.setattr(requirements, "missing_rights", lambda: ["no right to make namespaces"])
    with pytest.raises(LabUnavailableError) as failed:
        check_machine()
    assert "/nowhere is read-only" in failed.value.missing
    assert "no right to make namespaces" in failed.value.missing
    assert "--privileged" in failed.value.advice()
