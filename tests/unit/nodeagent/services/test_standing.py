from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.services import standing
from nodeagent.services.members import Membership
from nodeagent.services.standing import not_moving, until_it_goes_on, until_settled
from ssi.model.job import JobRow, JobState
from ssi.protocol.refusals import JobStandsStill

GPID = 15_000_001


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(standing, "PATIENCE_S", 0.05)
    row = JobRow(
        gpid=GPID,
        node="n1",
        user="ada",
        argv=("sleep",),
        cwd="/",
        state=JobState.RUNNING,
        start_ms=1,
    )
    membership = Membership(lambda: pytest.fail("no process is named"))
    return Job(row=row, sockets=Path(), record=Path(), membership=membership)


def wait_for(job: Job) -> Job:
    table = cast("JobTable", SimpleNamespace(find=lambda _gpid: job))
    return asyncio.run(until_it_goes_on(table, GPID))


def test_one_that_runs_is_not_waited_for(job: Job) -> None:
    assert wait_for(job) is job


def test_one_that_stands_still_is_told_with_what_ends_it(job: Job) -> None:
    job.stage, job.destination = "stopped", "n2"
    with pytest.raises(JobStandsStill, match="n1 is on its way to n2: nothing was done") as caught:
        wait_for(job)
    assert "`ssi kill -s KILL` ends it even now" in caught.value.advice()


def test_one_that_is_kept_is_told_to_stand_still(job: Job) -> None:
    job.dumping = True
    with pytest.raises(JobStandsStill, match="job 15000001 on n1 stands still: nothing was done"):
        wait_for(job)


def test_a_move_is_waited_for_but_not_for_ever(job: Job) -> None:
    async def while_it_moves_for(seconds: float) -> bool:
        async def move() -> None:
            async with job.moving:
                await asyncio.sleep(seconds)

        moving = asyncio.create_task(move())
        await asyncio.sleep(0)
        try:
            async with not_moving(job):
                return moving.done() and job.moving.locked()
        finally:
            await moving

    async def short_and_long() -> None:
        assert await while_it_moves_for(0.01)
        assert not job.moving.locked()
        with pytest.raises(JobStandsStill):
            await while_it_moves_for(0.1)
        assert not job.moving.locked()

    asyncio.run(short_and_long())


def test_a_move_in_doubt_is_one_though_nobody_leads_it(job: Job) -> None:
    async def meanwhile(stage: str) -> bool:
        job.stage, job.destination = "committed", "n2"

        async def settle() -> None:
            async with job.moving:
                await asyncio.sleep(0.01)
                job.stage = stage
            if stage == "moved":  # its agent lets go of it, and without that lock
                await asyncio.sleep(0.01)
                job.ended.set()

        settling = asyncio.create_task(settle())
        async with not_moving(job):
            return settling.done() and job.moving.locked()

    async def in_doubt() -> None:
        job.stage = "committed"
        with pytest.raises(JobStandsStill):
            async with not_moving(job):
                pass
        assert not job.moving.locked()
        assert await meanwhile("running")
        assert await meanwhile("moved")

    asyncio.run(in_doubt())


def test_it_is_waited_for_what_settles_it_and_not_for_longer(job: Job) -> None:
    async def waited_s(within_s: float) -> float:
        began_s = time.monotonic()
        await until_settled(job, within_s)
        return time.monotonic() - began_s

    async def one_after_the_other() -> None:
        assert await waited_s(60.0) < 30.0
        job.stage = "committed"
        assert await waited_s(0.1) >= 0.1
        waiting = asyncio.create_task(waited_s(60.0))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        job.stage = "running"
        assert await waiting < 30.0

    asyncio.run(one_after_the_other())


@pytest.mark.parametrize("stage", ["committed", "lent"])
def test_one_that_was_given_away_to_who_is_silent_is_told_without(job: Job, stage: str) -> None:
    job.stage, job.destination = stage, "n2"
    with pytest.raises(JobStandsStill, match="given to n2, which does not say") as caught:
        wait_for(job)
    assert "KILL" not in caught.value.advice()
    assert "see what is with n2" in caught.value.advice()
