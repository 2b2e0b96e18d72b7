"""Processes of a job that run as somebody else."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from nodeagent.migration import owners
from nodeagent.migration.owners import foreign, ids_of

ME = pwd.getpwuid(os.getuid()).pw_name
OTHER = "daemon" if ME != "daemon" else "bin"


def row(user: str) -> Any:  # Any: of all that a job has, these two are looked at
    return SimpleNamespace(user=user, node="n1")


@pytest.fixture
def process() -> Iterator[Any]:
    with subprocess.Popen(["sleep", "60"], group=pwd.getpwnam(ME).pw_gid) as child:
        yield SimpleNamespace(pid=child.pid, name="sleep", state="S")
        child.kill()


@pytest.fixture
def _limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "lacks_sys_resource", lambda _status: True)


def test_ids_are_real_effective_and_saved() -> None:
    status = "Name:\tsu\nUid:\t1000\t0\t0\t0\nGid:\t1000\t1000\t1000\t1000\n"
    assert ids_of(status) == ((1000, 0, 0), (1000, 1000, 1000))


@pytest.mark.usefixtures("_limited")
def test_a_process_of_the_owner_is_no_obstacle(process: Any) -> None:
    assert foreign(row(ME), [process]) == []


@pytest.mark.usefixtures("_limited")
def test_a_process_of_somebody_else_is_named_with_what_is_lacking(process: Any) -> None:
    (told,) = foreign(row(OTHER), [process])
    assert told.startswith(f"process {process.pid} (sleep) runs as {ME}, and the job as {OTHER}")
    assert "CAP_SYS_RESOURCE, which it lacks on n1" in told


@pytest.mark.usefixtures("_limited")
def test_the_dead_and_those_who_have_ended_are_left_out(process: Any) -> None:
    dead: Any = SimpleNamespace(pid=process.pid, name="sleep", state="Z")
    gone: Any = SimpleNamespace(pid=2**22 + 1, name="gone", state="S")
    assert foreign(row(OTHER), [dead, gone]) == []


def test_where_root_may_all_nobody_is_asked_who_he_is(
    process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owners, "lacks_sys_resource", lambda _status: False)
    assert foreign(row(OTHER), [process]) == []


@pytest.mark.parametrize(
    ("uids", "gids", "said"),
    [
        ((1000, 0, 0), (1000, 1000, 1000), "uids 1000, 0 and gids 1000, 1000 (real, effective)"),
        ((4294967000,) * 3, (0,) * 3, "uid 4294967000"),
        ((0,) * 3, (7777,) * 3, "root with gid 7777"),
    ],
)
def test_who_somebody_is(uids: tuple[int, ...], gids: tuple[int, ...], said: str) -> None:
    assert owners._named(uids, gids) == said
