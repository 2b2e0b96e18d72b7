"""Who has a file open."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nodeagent.mechanism.openfiles import _thing, writers_outside


def test_who_asks_is_none_of_the_others_that_have_a_file_open(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with path.open("w") as mine:
        status = path.stat()
        wanted = frozenset({(status.st_dev, status.st_ino)})
        assert writers_outside(wanted, frozenset(), "") == {}
        with subprocess.Popen(["sleep", "60"], stdout=mine) as other:
            assert writers_outside(wanted, frozenset(), "") == {status.st_ino: other.pid}
            assert writers_outside(wanted, frozenset({other.pid}), "") == {}
            other.kill()


def test_what_its_machine_has_no_more_is_told_from_what_was_closed(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "there").symlink_to(tmp_path)
    kinds = [
        _thing(1, "cwd", f"{tmp_path}/{name}", writable=False).kind for name in ("gone", "there")
    ]
    assert kinds == ["gone", "directory"]
    with pytest.raises(FileNotFoundError):
        _thing(1, "cwd", f"{tmp_path}/closed", writable=False)
