"""Where a user's files are, also for one who has no home."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

from ssi.client import paths

FOLDERS = ("user_config_dir", "user_cache_dir", "user_state_dir")


def test_who_has_no_home_has_no_files_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(_: str) -> str:
        raise RuntimeError("could not determine the home directory")

    for name in ("SSI_CONFIG_DIR", "SSI_CACHE_DIR", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in FOLDERS:
        monkeypatch.setattr(platformdirs, name, homeless)
    nowhere = Path("/nonexistent/ssi")
    assert paths.cluster() == nowhere / "cluster"
    assert paths.cache_dir() == nowhere
    assert paths.client_state() == nowhere / "client"
    assert not paths.cluster().exists()


def test_a_roster_that_a_job_sees_in_the_home_of_another_machine_makes_no_client(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    door = tmp_path / "door.sock"
    monkeypatch.setenv("SSI_CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr(paths, "node_door", lambda: door)
    assert not paths.is_client()  # no system was deployed
    (tmp_path / "cluster").touch()
    mounts = tmp_path / "mounts"
    monkeypatch.setattr(paths, "MOUNTS", mounts)
    device = os.stat(tmp_path).st_dev
    line = f"801 288 {os.major(device)}:{os.minor(device)} /root /root rw master:198 - {{}} rw\n"
    for kind, has_door, is_client in (
        ("fuse.ssi ssi:laptop~5423addc2c", True, False),
        ("fuse.ssi ssi:laptop~5423addc2c", False, True),
        ("ext4 /dev/vda", True, True),
    ):
        mounts.write_text(line.format(kind))
        door.touch() if has_door else door.unlink(missing_ok=True)
        assert paths.is_client() is is_client, (kind, has_door)
