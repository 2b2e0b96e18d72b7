"""Whether a job could be taken in: files, accounts and room, with nothing touched."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
from pathlib import Path
from typing import cast

import pytest

from nodeagent.job import Job
from nodeagent.migration.capability import Capability
from nodeagent.migration.landing import conflict_of
from nodeagent.migration.move import Move
from nodeagent.migration.reception import account_obstacles, look, name_obstacles, room_obstacles
from ssi.model.job import JobRow, JobState
from ssi.protocol.migration import FileMeta, PrepareMigration

ME = pwd.getpwuid(os.getuid())


def meta(
    path: Path | str, content: bytes = b"old", *, user: str = "0", group: str = "0"
) -> FileMeta:
    return FileMeta(
        path=str(path),
        kind="file",
        mode=0o600,
        user=user,
        group=group,
        size_bytes=len(content),
        digests=(hashlib.sha256(content).digest(),),
    )


def request(**changes: object) -> PrepareMigration:
    row = JobRow(
        gpid=15_000_001,
        node="n2",
        user=ME.pw_name,
        argv=("x",),
        cwd="/",
        state=JobState.MIGRATING,
        start_ms=1,
    )
    fields = {
        "job": row,
        "source": "n1",
        "criu": "4.2",
        "uid": ME.pw_uid,
        "gid": ME.pw_gid,
        "cpu": b"",
        "programs": (),
        "image_bytes": 0,
    }
    return PrepareMigration(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_file_is_in_the_way_only_with_another_content(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert conflict_of(meta(path)) == ""
    path.write_bytes(b"old")
    assert conflict_of(meta(path)) == ""
    path.write_bytes(b"new")
    assert conflict_of(meta(path)) == f"{path}: another file of that name is there"
    path.write_bytes(b"longer than old")
    assert conflict_of(meta(path)) == f"{path}: another file of that name is there"
    assert path.read_bytes() == b"longer than old"


def test_a_file_that_is_here_before_the_look_is_told_and_one_that_comes_later_is_not(
    tmp_path: Path,
) -> None:
    here, absent = tmp_path / "here", tmp_path / "absent"
    here.write_bytes(b"old")

    class Late(Capability):
        def blockers(self) -> list[str]:
            absent.write_bytes(b"another")
            return ["as found"]

    found, present = look(request(files=(meta(here), meta(absent))), Late(), tmp_path)
    assert (found, present) == (["as found"], [str(here)])


def test_only_files_that_the_destination_lacked_are_carried() -> None:
    files = {path: meta(path) for path in ("/here", "/absent")}
    move = Move(
        job=cast("Job", None),  # what moves does not matter here
        destination="n2",
        row=request().job,
        images=Path("/images"),
        files=files,
        standing=frozenset({"/here", "/other"}),
    )
    assert move.absent() == [files["/absent"]]


def test_what_is_no_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").write_bytes(b"")
    assert conflict_of(meta(tmp_path / "directory")).endswith("is no regular file here")
    assert conflict_of(meta(tmp_path / "dangling")).endswith("is a link to nothing")
    assert conflict_of(meta(tmp_path / "file" / "below")).endswith("Not a directory")


def test_an_account_of_another_number_is_refused() -> None:
    assert account_obstacles(request()) == []
    told = account_obstacles(request(uid=ME.pw_uid + 1))
    assert told == [f"user {ME.pw_name} has uid {ME.pw_uid} here and {ME.pw_uid + 1} at the source"]


def test_an_owner_of_a_file_who_is_unknown_here_is_named() -> None:
    assert name_obstacles([meta("/x", user="0")]) == []
    told = name_obstacles([meta("/x", user="nobody-of-that-name")])
    assert told == ["there is no account for nobody-of-that-name, who owns a file"]


def test_an_account_that_only_a_look_up_finds_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory service answers for a name, and mostly lists none (sssd.conf(5), enumerate)."""
    monkeypatch.setattr(pwd, "getpwall", list)
    monkeypatch.setattr(grp, "getgrall", list)
    group = grp.getgrgid(os.getgid()).gr_name
    assert name_obstacles([meta("/srv/log", user=ME.pw_name, group=group)]) == []
    told = name_obstacles([meta("/srv/log", user=ME.pw_name, group="no-group-of-that-name")])
    assert told == ["there is no group no-group-of-that-name, which has a file"]


def test_a_file_system_without_room_is_named_once(tmp_path: Path) -> None:
    assert room_obstacles(request(), tmp_path) == []
    told = room_obstacles(request(image_bytes=1 << 60), tmp_path)
    assert len(told) == 1
    assert "has no room for" in told[0]
    assert list(tmp_path.iterdir()) == []
