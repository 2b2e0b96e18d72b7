"""Code on the disk that differs from the code in memory is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ssi.cli.warm.code import LoadedCode


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "module.py"
    path.write_text("one")
    return path


def test_code_that_nobody_touched_is_current(module: Path) -> None:
    assert LoadedCode([str(module), str(module.parent), "/never/there"]).is_current()


def test_changed_code_is_not_current(module: Path) -> None:
    code = LoadedCode([str(module)])
    os.utime(module, ns=(1, 1))
    assert not code.is_current()


def test_removed_code_is_not_current(module: Path) -> None:
    code = LoadedCode([str(module)])
    module.unlink()
    assert not code.is_current()


def test_a_link_that_leads_elsewhere_is_not_current(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_text(name)
    current = tmp_path / "current"
    current.symlink_to("old")
    code = LoadedCode([str(current / "module.py")])
    assert code.is_current()
    current.unlink()
    current.symlink_to("new")
    assert not code.is_current()


def test_our_own_modules_are_watched_and_packages_by_their_directory() -> None:
    import ssi.cli.warm.code as module

    watched = LoadedCode.of_this_process()._marks
    assert module.__file__ in watched
    assert not any(file.endswith("typer/__init__.py") for file in watched)
