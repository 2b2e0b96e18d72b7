"""Letting go of a job: nobody is told of it from the word of its client on, unless that fails."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from nodeagent.dispatch import Caller
from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.services.jobs import JobService
from nodeagent.services.members import Membership
from nodeagent.shimlink import ShimGone, ShimLink, ShimSilent
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState
from ssi.protocol.jobs import JobReply, WaitJob
from ssi.protocol.system import ListJobs

ADA = Caller(user="ada")
GPID = 15000001


class _Table:
    """The one job."""

    def __init__(self, job: Job) -> None:
        self.jobs = {GPID: job}
        self.let_go_of: list[Job] = []

    def find(self, _gpid: int) -> Job:
        return self.jobs[GPID]

    def let_go(self, job: Job) -> None:
        self.let_go_of.append(job)


class _Shim:
    """Notes what it is asked, and what is listed meanwhile; fails with an error, or does not."""

    def __init__(self, error: SsiError | None = None) -> None:
        self.asked: list[str] = []
        self.listed: tuple[JobRow, ...] | None = None
        self.service: JobService | None = None
        self._error = error

    async def ask(self, body: object, _kind: object, _timeout_s: float) -> None:
        self.asked.append(type(body).__name__)
        if self.service is not None:
            self.listed = (await self.service._list(ADA, ListJobs())).rows
        if self._error is not None:
            raise self._error


def held(shim: _Shim, **changes: Any) -> tuple[JobService, Job, _Table]:  # Any: fields of a row
    row = JobRow(
        gpid=GPID,
        node="n1",
        user="ada",
        argv=("true",),
        cwd="/",
        state=changes.pop("state", JobState.EXITED),
        start_ms=1,
        **changes,
    )
    job = Job(
        row=row,
        sockets=Path("/nowhere"),
        record=Path("/nowhere"),
        membership=Membership(lambda: pytest.fail("no process is named")),
        link=cast("ShimLink", shim),
    )
    table = _Table(job)
    nobody = cast("Any", None)
    service = JobService("n1", cast("JobTable", table), nobody, list, nobody, nobody, nobody)
    return service, job, table


@pytest.mark.parametrize("error", [None, ShimGone(path="/nowhere", reason="it ended")])
def test_it_is_listed_no_more_while_its_shim_hears_of_it(error: SsiError | None) -> None:
    shim = _Shim(error)
    service, job, table = held(shim)
    shim.service = service
    asyncio.run(service.let_go(job))
    assert shim.listed == ()
    assert table.let_go_of == [job]


def test_it_is_listed_again_where_its_shim_does_not_let_go() -> None:
    shim = _Shim(ShimSilent(path="/nowhere", request="Release", after_s=5.0))
    service, job, table = held(shim)
    with pytest.raises(ShimSilent):
        asyncio.run(service.let_go(job))
    assert table.let_go_of == []
    assert [row.gpid for row in asyncio.run(service._list(ADA, ListJobs())).rows] == [GPID]


def test_a_detached_one_stays_listed() -> None:
    shim = _Shim()
    service, job, table = held(shim, detached=True)
    shim.service = service
    asyncio.run(service.let_go(job))
    assert [row.gpid for row in shim.listed or ()] == [GPID]
    assert table.let_go_of == []


def test_whoever_waits_renews_the_lease_unless_the_end_is_near() -> None:
    async def asked(*, ends: bool) -> list[str]:
        shim = _Shim()
        service, job, _table = held(shim, state=JobState.RUNNING)
        if ends:
            asyncio.get_running_loop().call_soon(job.ended.set)
        reply: JobReply = await service._wait(ADA, WaitJob(gpid=GPID, wait_ms=1))
        assert reply.row.gpid == GPID
        return shim.asked

    assert asyncio.run(asked(ends=False)) == ["Renew"]
    assert asyncio.run(asked(ends=True)) == []


def test_start_of_a_brief_job_tells_its_output_and_lets_go_of_it() -> None:
    async def told(wait_ms: int, **changes: Any) -> tuple[object, list[str]]:  # Any: see held()
        shim = _Shim()
        service, job, _table = held(shim, **changes)
        job.output = (b"out", b"")
        if job.is_over:
            job.ended.set()
        async with asyncio.TaskGroup() as tasks:
            service._tasks = tasks
            output = await service._output_of_brief(job, wait_ms)
        return output, shim.asked

    assert asyncio.run(told(1)) == ((b"out", b""), ["Release"])
    assert asyncio.run(told(0)) == (None, [])
    assert asyncio.run(told(1, detached=True)) == (None, [])
    assert asyncio.run(told(1, state=JobState.LOST)) == (None, [])
    assert asyncio.run(told(1, state=JobState.RUNNING)) == (None, [])
