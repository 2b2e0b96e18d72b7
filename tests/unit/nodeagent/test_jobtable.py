"""Where a job is kept for an agent after this one, and who finds it there."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from nodeagent.job import ExitRecord, Job
from nodeagent.jobtable import JobTable, remove_tree
from nodeagent.mechanism import cgroup
from nodeagent.places import Places
from nodeagent.shimlink import ShimGone, ShimLink
from ssi.model.job import JobRow, JobState

GPID = 15_000_001


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setattr(cgroup, "_roots", list)
    places = Places(tmp_path / "run", tmp_path / "state")
    for directory in (places.job_sockets, places.jobs):
        directory.mkdir(parents=True)
    return places


def row_of(*, detached: bool = False) -> JobRow:
    return JobRow(
        gpid=GPID,
        node="n1",
        user="ada",
        argv=("sleep", "9"),
        cwd="/",
        state=JobState.STARTING,
        start_ms=1,
        detached=detached,
    )


def make(places: Places, *, detached: bool = False) -> Job:
    """A job of an agent that has started it and ended since."""

    async def made() -> Job:
        async with asyncio.TaskGroup() as tasks:
            table = JobTable("n1", lambda: 1, places, tasks)
            job = table.make(row_of(detached=detached), lasting=detached)
            job.become(JobState.RUNNING)
            return job

    return asyncio.run(made())


def adopt(places: Places, monkeypatch: pytest.MonkeyPatch) -> dict[int, Job]:
    """What an agent has in its table that finds no shim alive."""

    async def gone(path: Path, *_rest: object, **_options: object) -> ShimLink:
        raise ShimGone(path=str(path), reason="nobody listens")

    async def adopted() -> dict[int, Job]:
        async with asyncio.TaskGroup() as tasks:
            table = JobTable("n1", lambda: 1, places, tasks)
            await table.adopt()
            found = dict(table.jobs)
            for job in found.values():
                job.stage = "moved"  # so that nobody watches it to its end
            return found

    monkeypatch.setattr(ShimLink, "connect", gone)
    return asyncio.run(adopted())


def test_job_that_a_client_waits_for_leaves_nothing_on_the_disk(places: Places) -> None:
    job = make(places)
    job.become(JobState.EXITED, exit_status=0)
    assert list(places.jobs.iterdir()) == []
    assert [path.name for path in job.sockets.iterdir()] == ["job.json"]


def test_detached_job_is_on_the_disk_with_its_last_step(places: Places) -> None:
    job = make(places, detached=True)
    kept = (places.jobs / str(GPID) / "job.json").read_bytes()
    assert msgspec.json.decode(kept, type=JobRow) == job.row


@pytest.mark.parametrize("changes", [{"detached": True}, {"state": JobState.MIGRATING}])
def test_job_is_on_the_disk_from_when_it_is_detached_or_moves(
    places: Places, changes: dict[str, object]
) -> None:
    job = make(places)
    state = changes.pop("state", JobState.RUNNING)
    assert isinstance(state, JobState)
    job.become(state, **changes)
    job.become(JobState.RUNNING)
    kept = (places.jobs / str(GPID) / "job.json").read_bytes()
    assert msgspec.json.decode(kept, type=JobRow) == job.row
    job.pledge()
    assert (places.jobs / str(GPID) / "pledge").exists()


def test_job_that_ended_with_its_shim_while_no_agent_ran_is_forgotten(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make(places)
    record = ExitRecord(exit_status=3, ended_ms=42)
    (job.sockets / "exit.json").write_bytes(msgspec.json.encode(record))
    assert adopt(places, monkeypatch) == {}
    assert list(places.job_sockets.iterdir()) == []


def test_detached_job_is_told_as_lost_after_a_reboot(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make(places, detached=True)
    remove_tree(job.sockets)
    found = adopt(places, monkeypatch)
    assert {gpid: each.row.state for gpid, each in found.items()} == {GPID: JobState.LOST}


def test_row_on_the_disk_counts_before_one_beside_the_socket(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make(places)
    job.become(JobState.RUNNING, detached=True)
    found = adopt(places, monkeypatch)
    assert found[GPID].lasting
    assert found[GPID].row.detached


@pytest.mark.parametrize(
    ("state", "is_empty", "times"),
    [(JobState.EXITED, True, 1), (JobState.EXITED, False, 2), (JobState.LOST, True, 2)],
)
def test_cgroup_of_a_job_is_removed_until_it_is_gone(
    places: Places, monkeypatch: pytest.MonkeyPatch, state: JobState, is_empty: bool, times: int
) -> None:
    removed = []

    def remove(gpid: int) -> bool:
        removed.append(gpid)
        return is_empty

    monkeypatch.setattr(cgroup, "remove_of_job", remove)

    async def forgotten() -> None:
        async with asyncio.TaskGroup() as tasks:
            table = JobTable("n1", lambda: 1, places, tasks)
            job = table.make(row_of())
            job.become(state)
            table.forget(job)
            table.forget(job)

    asyncio.run(forgotten())
    assert removed == [GPID] * times


def test_directory_is_removed_with_directories_in_it(tmp_path: Path) -> None:
    (tmp_path / "job/criu").mkdir(parents=True)
    (tmp_path / "job/criu/dump.log").touch()
    (tmp_path / "job/shim.log").touch()
    remove_tree(tmp_path / "job")
    assert list(tmp_path.iterdir()) == []
    remove_tree(tmp_path / "job")


def test_directory_goes_also_where_a_shim_removes_its_socket_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        (tmp_path / f"job/criu{number}").mkdir(parents=True)
    (tmp_path / "job/shim.log").touch()
    rmtree = shutil.rmtree

    def goes_meanwhile(directory: Path) -> None:
        for part in directory.glob("criu*"):
            part.rmdir()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(part))
        rmtree(directory)

    monkeypatch.setattr(shutil, "rmtree", goes_meanwhile)
    remove_tree(tmp_path / "job")
    assert list(tmp_path.iterdir()) == []


def test_what_resists_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "job/criu").mkdir(parents=True)

    def resists(directory: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(directory))

    monkeypatch.setattr(shutil, "rmtree", resists)
    remove_tree(tmp_path / "job")
    assert "Permission denied" in caplog.text
