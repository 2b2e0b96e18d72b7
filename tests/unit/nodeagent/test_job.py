"""A job's life in its agent: its steps, its record, and the end of its shim."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from nodeagent.job import ExitRecord, Job
from nodeagent.services.members import Membership
from nodeagent.shim.message import Message
from nodeagent.shim.messages import GetStatus, RequestMessage, Status
from nodeagent.shimlink import ShimGone, ShimLink, ShimSilent
from ssi.model.gpid import Gpid
from ssi.model.job import TRANSITIONS, JobRow, JobState
from ssi.protocol.refusals import NotAJob
from tests.unit.nodeagent.asking import run

ReplyT = TypeVar("ReplyT", bound=Message)


class FakeLink(ShimLink):
    """A shim that answers what it was told to, one after the other."""

    def __init__(self, *answers: Status | ShimGone | ShimSilent) -> None:
        self.gone = asyncio.Event()
        self.answers = list(answers)

    async def ask(self, body: RequestMessage, kind: type[ReplyT], timeout_s: float) -> ReplyT:
        assert isinstance(body, GetStatus)
        answer = self.answers.pop(0)
        if not isinstance(answer, Status):
            raise answer
        assert isinstance(answer, kind)
        return answer


GONE = ShimGone(path="shim.sock", reason="the connection has ended")
SILENT = ShimSilent(path="shim.sock", request="GetStatus", after_s=70.0)


def make_job(directory: Path, state: JobState = JobState.RUNNING) -> Job:
    numbers = itertools.count(15_000_002)
    row = JobRow(
        gpid=15_000_001,
        node="n1",
        user="ada",
        argv=("sleep", "9"),
        cwd="/",
        state=state,
        start_ms=1,
    )
    (directory / "sockets").mkdir()
    return Job(
        row=row,
        sockets=directory / "sockets",
        record=directory / "record",
        membership=Membership(lambda: Gpid(next(numbers))),
    )


PAIRS = list(itertools.product(JobState, JobState))


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_only_steps_of_the_table_are_taken(
    tmp_path: Path, before: JobState, after: JobState
) -> None:
    job = make_job(tmp_path, before)
    if after is before or after in TRANSITIONS[before]:
        job.become(after)
        assert job.row.state is after
    else:
        with pytest.raises(AssertionError):
            job.become(after)
        assert job.row.state is before


def test_table_of_steps_is_whole_and_has_one_end() -> None:
    assert set(TRANSITIONS) == set(JobState)
    assert [state for state, steps in TRANSITIONS.items() if not steps] == [JobState.EXITED]
    assert all(
        JobState.EXITED in steps
        for state, steps in TRANSITIONS.items()
        if state is not JobState.EXITED
    )
    assert not any(JobState.STARTING in steps for steps in TRANSITIONS.values())


def test_every_step_is_kept(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    job.become(JobState.EXITED, exit_status=7, ended_ms=9)
    kept = msgspec.json.decode((tmp_path / "record" / "job.json").read_bytes(), type=JobRow)
    assert kept == job.row
    assert (kept.state, kept.exit_status) == (JobState.EXITED, 7)


def test_full_disk_stops_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nodeagent.job.replace_file", full)
    job = make_job(tmp_path, JobState.STARTING)
    job.become(JobState.RUNNING)
    assert job.row.state is JobState.RUNNING
    assert "event=job-not-saved" in caplog.text


def test_end_that_the_shim_tells_is_noted(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    running = Status(stage="running", shim_pid=1)
    ended = Status(stage="exited", shim_pid=1, exit_status=139, killed_by=11, dumped_core=True)
    job.link = FakeLink(running, ended)
    run(job.watch())
    assert (job.row.state, job.row.exit_status) == (JobState.EXITED, 139)
    assert (job.row.killed_by, job.row.dumped_core) == (11, True)
    assert job.ended.is_set()


def test_job_whose_shim_is_slow_is_not_lost(tmp_path: Path) -> None:
    """A shim that dumps a large job, or that somebody stopped, does not answer for a while."""
    job = make_job(tmp_path)
    job.link = FakeLink(SILENT, SILENT, Status(stage="exited", shim_pid=1, exit_status=0))
    run(job.watch())
    assert (job.row.state, job.row.exit_status) == (JobState.EXITED, 0)


def test_job_whose_shim_left_its_status_has_ended(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    record = ExitRecord(exit_status=3, ended_ms=42)
    (job.sockets / "exit.json").write_bytes(msgspec.json.encode(record))
    job.link = FakeLink(GONE)
    run(job.watch())
    assert (job.row.state, job.row.exit_status, job.row.ended_ms) == (JobState.EXITED, 3, 42)
    assert job.ended.is_set()
    assert job.shim_pid == 0


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"exit_status": "x"}'])
def test_job_whose_shim_left_nothing_is_lost_and_says_why(
    tmp_path: Path, content: bytes | None
) -> None:
    job = make_job(tmp_path)
    if content is not None:
        (job.sockets / "exit.json").write_bytes(content)
    job.link = FakeLink(GONE)
    run(job.watch())
    assert job.row.state is JobState.LOST
    assert "its shim ended without a word" in job.row.problem
    assert job.ended.is_set()
    with pytest.raises(NotAJob):
        job.shim()


def test_job_that_moved_away_is_not_lost_when_its_shim_ends(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    job.stage = "moved"
    job.link = FakeLink(GONE)
    run(job.watch())
    assert job.row.state is JobState.RUNNING


def test_job_that_has_ended_is_not_buried_as_lost(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    job.become(JobState.EXITED, exit_status=0)
    job.bury()
    assert job.row.state is JobState.EXITED


def test_job_whose_process_dies_slowly_is_ending(tmp_path: Path) -> None:
    """Its shim has not told yet: much memory, or a core file, takes longer than anybody waits."""
    job = make_job(tmp_path)

    async def told(pid: int) -> bool:
        job.root_pid = pid
        return await job.is_ending()

    async def check() -> None:
        with subprocess.Popen(["sleep", "60"]) as process:
            assert not await told(process.pid)
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            assert await told(process.pid)
            assert not await told(0)

    run(check())
