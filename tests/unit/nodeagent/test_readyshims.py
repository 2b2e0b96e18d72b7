"""Which shims are kept for another job, for whom, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest

from nodeagent import readyshims as module
from nodeagent.job import Job
from nodeagent.readyshims import MOST_READY, ReadyShims
from nodeagent.services.members import Membership
from nodeagent.shim.keepermessages import ForkShim, ShimForked
from nodeagent.shim.messages import Ok, Release
from nodeagent.shimlink import ShimGone, ShimLink, ShimSilent
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState

ORDER = ForkShim(directory="/nowhere", namespaces=True)
GONE = ShimGone(path="/nowhere", reason="it ended")


class _Mounts:
    """Of a host that nobody mounts anything on, until a test says so."""

    changed = False

    def has_changed(self) -> bool:
        changed, _Mounts.changed = _Mounts.changed, False
        return changed


class _Link:
    """To a shim that leaves nothing behind, unless a test says otherwise."""

    def __init__(self, pid: int = 7) -> None:
        self.gone = asyncio.Event()
        self.path = Path()
        self.is_idle = True
        self.is_as_new = True
        self.error: SsiError | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.asked: list[object] = []
        self.closed = False
        self.pid = pid

    async def ask(self, body: object, _kind: object, _timeout_s: float) -> Ok | ShimForked:
        self.asked.append(body)
        await asyncio.sleep(0)
        self.meanwhile()
        if self.error is not None:
            raise self.error
        if isinstance(body, ForkShim):
            return ShimForked(pid=self.pid)
        assert isinstance(body, Release)
        return Ok(ready=body.again and self.is_as_new)

    def part(self) -> None:
        self.gone.set()
        self.gone = asyncio.Event()

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    _Mounts.changed = False
    monkeypatch.setattr(module, "MountWatch", _Mounts)
    monkeypatch.setattr(module, "remove_cgroup", lambda job: job.row.name != "left")


def made(user: str = "ada", *, link: _Link | None = None, seen: int = 0, **row: Any) -> Job:
    return Job(
        row=JobRow(
            gpid=15000001,
            node="n1",
            user=user,
            argv=("true",),
            cwd="/",
            state=JobState.EXITED,
            start_ms=1,
            **row,
        ),
        sockets=Path("/nowhere"),
        record=Path("/nowhere"),
        membership=Membership(lambda: pytest.fail("no process is named")),
        link=cast("ShimLink", link) if link is not None else None,
        shim_pid=link.pid if link is not None else 0,
        mounts_seen=seen,
    )


def run(story: Callable[[ReadyShims], Coroutine[Any, Any, None]]) -> None:
    async def told() -> None:
        await story(ReadyShims())

    asyncio.run(told())


async def keep(ready: ReadyShims, user: str = "ada") -> _Link:
    link = _Link()
    await ready.release(made(user, link=link), again=True)
    assert not link.closed
    return link


def test_the_next_job_of_the_same_user_gets_it_and_the_last_has_none() -> None:
    async def story(ready: ReadyShims) -> None:
        link = _Link(pid=9)
        job = made(link=link)
        gone = link.gone
        await ready.release(job, again=True)
        assert (job.link, job.shim_pid, gone.is_set()) == (None, 0, True)
        following = made()
        assert await ready.lend(following, ORDER)
        assert following.link is cast("ShimLink", link)
        assert (following.shim_pid, following.mounts_seen) == (9, 0)
        assert not link.gone.is_set()
        assert link.path == Path("/nowhere/shim.sock")
        assert not await ready.lend(made(), ORDER)

    run(story)


def test_never_another_users() -> None:
    async def story(ready: ReadyShims) -> None:
        await keep(ready, "ada")
        assert not await ready.lend(made("root"), ORDER)
        assert await ready.lend(made("ada"), ORDER)

    run(story)


@pytest.mark.parametrize("when", ["before its release", "during it", "while it waits"])
def test_none_that_was_made_before_a_change_of_mounts(when: str) -> None:
    async def story(ready: ReadyShims) -> None:
        def change() -> None:
            _Mounts.changed = True

        link = _Link()
        if when == "before its release":
            change()
        elif when == "during it":
            link.meanwhile = change
        await ready.release(made(link=link), again=True)
        if when == "while it waits":
            change()
        job = made()
        assert not await ready.lend(job, ORDER)
        assert job.mounts_seen == 1, "a fresh one sees what is mounted now"
        assert link.closed or link.asked == [Release(again=False)]

    run(story)


@pytest.mark.parametrize("why", ["not brief", "not plain", "moved", "asked something", "refused"])
def test_it_is_let_go_of_for_good(why: str) -> None:
    async def story(ready: ReadyShims) -> None:
        link = _Link()
        link.is_idle = why != "asked something"
        link.is_as_new = why != "refused"
        seen = -1 if why == "not plain" else 0
        job = made(link=link, seen=seen, epoch=2 if why == "moved" else 1)
        await ready.release(job, again=why != "not brief")
        assert link.asked == [Release(again=why == "refused")]
        assert job.link is not None
        assert ready.count == 0

    run(story)


@pytest.mark.parametrize("why", ["asked something", "something is in its cgroup"])
def test_it_ends_where_it_is_ready_and_cannot_be_kept(why: str) -> None:
    async def story(ready: ReadyShims) -> None:
        link = _Link()
        if why == "asked something":
            link.meanwhile = lambda: setattr(link, "is_idle", False)
        await ready.release(made(link=link, name="left" if "cgroup" in why else ""), again=True)
        assert link.closed
        assert ready.count == 0

    run(story)


def test_so_many_wait_and_no_more() -> None:
    async def story(ready: ReadyShims) -> None:
        for _ in range(MOST_READY):
            await keep(ready)
        link = _Link()
        await ready.release(made(link=link), again=True)
        assert link.asked == [Release(again=False)]

    run(story)


def test_it_waits_for_a_while_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READY_S", 0.01)

    async def story(ready: ReadyShims) -> None:
        links = [await keep(ready) for _ in range(3)]
        assert await ready.lend(made(), ORDER)
        async with asyncio.timeout(60):
            while ready.count:
                await asyncio.sleep(0.01)
        assert [link.closed for link in links] == [True, True, False]

    run(story)


def test_all_end_at_once_when_they_are_dropped() -> None:
    async def story(ready: ReadyShims) -> None:
        links = [await keep(ready) for _ in range(3)]
        ready.drop()
        assert all(link.closed for link in links)
        assert not await ready.lend(made(), ORDER)

    run(story)


def test_one_that_was_killed_is_passed_over() -> None:
    async def story(ready: ReadyShims) -> None:
        good = await keep(ready)
        dies = await keep(ready)
        dead = await keep(ready)
        dead.gone.set()
        dies.error = GONE
        job = made()
        assert await ready.lend(job, ORDER)
        assert job.link is cast("ShimLink", good)
        assert dead.asked == [Release(again=True)]

    run(story)


def test_one_that_is_silent_fails_the_start_and_is_given_up() -> None:
    async def story(ready: ReadyShims) -> None:
        link = await keep(ready)
        link.error = ShimSilent(path="/nowhere", request="ForkShim", after_s=10.0)
        with pytest.raises(ShimSilent):
            await ready.lend(made(), ORDER)
        assert link.closed
        assert ready.count == 0

    run(story)
