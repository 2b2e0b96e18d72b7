"""Jobs as their clients ask for them: how one comes to its shim, and how it is let go of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from nodeagent.dispatch import Caller
from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.mechanism import cgroup, login
from nodeagent.readyshims import ReadyShims
from nodeagent.services import jobs as module
from nodeagent.services.jobs import JobService
from nodeagent.services.members import Membership
from nodeagent.shim.messages import Ok, Start
from nodeagent.shimlink import ShimGone, ShimLink, ShimSilent
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobSpec, JobState, Whereabouts
from ssi.model.jobfiles import FilesUnavailable, JobFiles
from ssi.model.launch import StartFailed
from ssi.protocol.jobs import JobReply, StartJob, WaitJob
from ssi.protocol.system import ListJobs

ADA = Caller(user="ada")
GPID = 15000001


class _Table:
    """The one job."""

    def __init__(self, job: Job) -> None:
        self.jobs = {GPID: job}
        self.let_go_of: list[Job] = []
        self.forgotten: list[Job] = []

    def allocate(self) -> int:
        return GPID

    def make(self, _row: JobRow, *, lasting: bool) -> Job:
        assert not lasting
        return self.jobs[GPID]

    def forget(self, job: Job) -> None:
        self.forgotten.append(job)

    def find(self, _gpid: int) -> Job:
        return self.jobs[GPID]

    def whereabouts(self) -> tuple[Whereabouts, ...]:
        return (Whereabouts(GPID, 1, "n1"),)

    def let_go(self, job: Job) -> None:
        self.let_go_of.append(job)


class _Shim:
    """Notes what it is asked, and what is listed meanwhile; fails with an error, or does not."""

    def __init__(self, error: SsiError | None = None) -> None:
        self.asked: list[str] = []
        self.listed: tuple[JobRow, ...] | None = None
        self.service: JobService | None = None
        self._error = error

    async def ask(self, body: object, _kind: object, _timeout_s: float) -> Ok:
        self.asked.append(type(body).__name__)
        if self.service is not None:
            self.listed = (await self.service._list(ADA, ListJobs())).rows
        if self._error is not None:
            raise self._error
        return Ok()


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
    jobs = cast("JobTable", table)
    service = JobService("n1", jobs, nobody, list, nobody, nobody, ReadyShims(), nobody)
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


class _Clients:
    """Is asked to mount what a job sees, and knows what has been done by then."""

    def __init__(self, looks: Callable[[], Awaitable[None]]) -> None:
        self._looks = looks

    async def bring(self, _files: JobFiles | None, _user: str) -> None:
        await self._looks()


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """All files are mounted, and no cgroups can be made."""

    async def at_once(_node: str, _files: JobFiles | None) -> None:
        return

    account = login.LoginAccount(
        user="ada", uid=7, gid=7, groups=(7,), home="/home/ada", shell="/bin/sh"
    )
    monkeypatch.setattr(login, "find_account", lambda _user: account)
    monkeypatch.setattr(cgroup, "make_for_job", lambda _gpid: "")
    monkeypatch.setattr(module, "await_mounts", at_once)
    monkeypatch.setattr(module, "why_unusable", lambda: "")
    monkeypatch.setattr(module, "missing_nodes", lambda *_of: [])


SPEC = JobSpec(
    argv=("true",),
    cwd="/",
    environment={},
    files=JobFiles(home="n2", home_directory="", is_whole=False, binds=()),
)


class _Refusing(_Shim):
    """Starts nothing."""

    async def ask(self, body: object, kind: object, timeout_s: float) -> Ok:
        reply = await super().ask(body, kind, timeout_s)
        if isinstance(body, Start):
            raise StartFailed(command="true", step="shim", reason="it is a test")
        return reply


@pytest.mark.usefixtures("mounted")
def test_its_shim_is_forked_while_its_files_are_looked_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def started() -> None:
        shim = _Refusing()
        service, job, table = held(shim, state=JobState.STARTING)
        forking, looking = asyncio.Event(), asyncio.Event()

        async def open_shim(_job: Job) -> None:
            forking.set()
            await looking.wait()

        async def look() -> None:
            looking.set()
            await forking.wait()

        monkeypatch.setattr(service, "open_shim", open_shim)
        service._clients = cast("Any", _Clients(look))
        async with asyncio.timeout(60):
            with pytest.raises(StartFailed):
                await service._start(ADA, StartJob(spec=SPEC))
        assert shim.asked == ["Start", "Release"]
        assert table.forgotten == [job]

    asyncio.run(started())


@pytest.mark.usefixtures("mounted")
def test_its_shim_is_let_go_of_where_its_files_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def started() -> None:
        shim = _Shim()
        service, job, table = held(shim, state=JobState.STARTING)
        link, job.link = job.link, None

        async def open_shim(job: Job) -> None:
            await asyncio.sleep(0)
            job.link = link

        async def look() -> None:
            raise FilesUnavailable(node="n1", files="files of n2", reason="it is not heard")

        monkeypatch.setattr(service, "open_shim", open_shim)
        service._clients = cast("Any", _Clients(look))
        with pytest.raises(FilesUnavailable):
            await service._start(ADA, StartJob(spec=SPEC))
        assert shim.asked == ["Release"]
        assert table.forgotten == [job]

    asyncio.run(started())
