"""Files of machines that are no nodes: who may offer them, for which jobs they are mounted."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from nodeagent import clientfiles
from nodeagent.clientfiles import ClientFiles
from nodeagent.dispatch import Caller
from nodeagent.filesystem.control import Control, Outcome, Refused
from nodeagent.places import Places
from ssi.model.client import client_name
from ssi.model.files import MountRow
from ssi.model.job import JobRow, JobState
from ssi.model.jobfiles import Bind, FilesUnavailable, JobFiles
from ssi.protocol.clients import FilesWanted, OfferFiles
from ssi.protocol.refusals import NotPermitted

ME = pwd.getpwuid(os.geteuid()).pw_name
KEY = "k" * 40
NAME = client_name("t480", "3fa9", KEY)
FILES = JobFiles(home=NAME, binds=(Bind(node=NAME, source="/home/bob", target="/home/bob"),))
PORT = 40_000
_ResultT = TypeVar("_ResultT")


def run(test: Coroutine[Any, Any, _ResultT]) -> _ResultT:
    """What a test comes to, on a loop of its own."""

    async def bounded() -> _ResultT:
        async with asyncio.timeout(60):
            return await test

    return asyncio.run(bounded())


class Warden:
    """Mounts for clients, without a kernel."""

    def __init__(self) -> None:
        self.mounted: dict[str, Control] = {}
        self.refusal = ""

    def ask(self, _path: Path, control: Control) -> Outcome:
        if self.refusal:
            raise Refused(self.refusal)
        if control.deed == "receive":
            self.mounted[control.node] = control
        if control.deed == "unmount":
            del self.mounted[control.point.rpartition("/")[2]]
        rows = [MountRow(node=name, point=f"/ssi/c/{name}") for name in self.mounted]
        return Outcome(rows=rows, port=PORT)


class Clock:
    """What the service takes for the time."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.count = 0

    def monotonic(self) -> float:
        return self.now_s

    def time_ns(self) -> int:
        self.count += 1
        return self.count


class Node:
    """The service of a node with its surroundings."""

    def __init__(self, warden: Warden, clock: Clock, folder: Path) -> None:
        self.warden, self.clock = warden, clock
        self.jobs: list[JobRow] = []
        self.owners = {KEY: ME}
        self.service = ClientFiles("n1", Places(folder, folder), lambda: self.jobs, self.owners.get)

    async def offer(self, *, user: str = ME, key: str = KEY, **fields: Any) -> FilesWanted:
        offer = OfferFiles(
            host="t480", machine="3fa9", public_key=key, user="bob", group="staff", **fields
        )
        return await self.service._offer(Caller(user=user), offer)

    def start_job(self) -> None:
        self.jobs.append(
            JobRow(
                gpid=15_000_001, node="n1", user=ME, argv=("true",), cwd="/",
                state=JobState.RUNNING, start_ms=1, files=FILES,
            )
        )  # fmt: skip


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    warden, clock = Warden(), Clock()
    monkeypatch.setattr(clientfiles, "ask_warden", warden.ask)
    monkeypatch.setattr(clientfiles, "time", clock)
    return Node(warden, clock, tmp_path)


def test_nothing_is_mounted_for_a_client_that_no_job_needs(node: Node) -> None:
    wanted = run(node.offer())
    assert (wanted.port, wanted.jobs, wanted.paths, node.warden.mounted) == (0, 0, (), {})


def test_client_that_waits_is_told_as_soon_as_a_job_comes(node: Node) -> None:
    async def test() -> FilesWanted:
        first = await node.offer()
        waiting = asyncio.create_task(node.offer(known=first.state, wait_ms=20_000))
        await asyncio.sleep(0)
        await node.service.bring(FILES, ME)
        node.start_job()
        return await waiting

    wanted = run(test())
    assert (wanted.port, wanted.jobs, wanted.paths) == (PORT, 1, ("/home/bob",))
    mounted = node.warden.mounted[NAME]
    assert mounted.public_key == KEY and mounted.client is not None
    assert (mounted.client.user, mounted.client.uid) == ("bob", os.geteuid())


def test_job_waits_for_a_client_that_is_about_to_be_heard(node: Node) -> None:
    async def test() -> None:
        coming = asyncio.create_task(node.service.bring(FILES, ME))
        await asyncio.sleep(0)
        await node.offer()
        await coming

    run(test())
    assert list(node.warden.mounted) == [NAME]


def refused(work: Callable[[], Awaitable[object]], kind: type[Exception]) -> str:
    async def test() -> str:
        with pytest.raises(kind) as caught:
            await work()
        return str(caught.value)

    return run(test())


def test_job_of_another_user_gets_nothing_of_it(node: Node) -> None:
    run(node.offer())
    assert "not heard" in refused(lambda: node.service.bring(FILES, "eve"), FilesUnavailable)
    assert node.warden.mounted == {}


def test_client_that_is_not_there_is_waited_for_no_longer_than_stated(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clientfiles, "APPEAR_S", 0.0)
    assert NAME in refused(lambda: node.service.bring(FILES, ME), FilesUnavailable)


def test_key_of_somebody_else_offers_nothing(node: Node) -> None:
    refused(lambda: node.offer(user="eve"), NotPermitted)
    refused(lambda: node.offer(key="l" * 40), NotPermitted)
    node_itself = Caller(user="root", node="n2")
    node.owners[KEY] = "root"
    offer = OfferFiles(host="h", machine="", public_key=KEY, user="root", group="root")
    refused(lambda: node.service._offer(node_itself, offer), NotPermitted)


def test_mount_stays_a_minute_after_its_last_job_and_no_longer(node: Node) -> None:
    async def test() -> list[bool]:
        first = await node.offer()
        await node.service.bring(FILES, ME)
        node.start_job()
        seen = []
        for later_s, ends in ((1000.0, False), (0.0, True), (59.0, False), (2.0, False)):
            node.clock.now_s += later_s
            await node.service._sweep()
            seen.append(NAME in node.warden.mounted)
            if ends:
                node.jobs.clear()
        wanted = await node.offer(known=first.state, wait_ms=20_000)
        return [*seen, wanted.port == 0]

    assert run(test()) == [True, True, True, False, True]


def test_client_hears_which_jobs_need_it_also_where_the_mount_stands(node: Node) -> None:
    async def test() -> list[int]:
        await node.offer()
        await node.service.bring(FILES, ME)
        told = []
        for change in (node.start_job, node.jobs.clear):
            before = await node.offer()
            waiting = asyncio.create_task(node.offer(known=before.state, wait_ms=20_000))
            change()
            await node.service._sweep()
            told.append((await waiting).jobs)
        return told

    assert run(test()) == [1, 0]


def test_mount_that_went_with_its_warden_is_made_again_for_jobs_that_run(node: Node) -> None:
    async def test() -> int:
        await node.offer()
        await node.service.bring(FILES, ME)
        node.start_job()
        node.warden.mounted.clear()
        await node.service._sweep()
        return (await node.offer()).port

    assert run(test()) == PORT
    assert list(node.warden.mounted) == [NAME]


def test_mount_of_which_a_new_agent_knows_nothing_goes_unless_a_job_needs_it(node: Node) -> None:
    node.warden.mounted[NAME] = Control(deed="receive", node=NAME)
    node.start_job()
    node.clock.now_s += 100.0
    run(node.service._sweep())
    assert list(node.warden.mounted) == [NAME]
    node.jobs.clear()
    run(node.service._sweep())
    assert node.warden.mounted == {}


def test_node_that_cannot_mount_says_why(node: Node) -> None:
    run(node.offer())
    node.warden.refusal = "there is no /dev/fuse"
    told = refused(lambda: node.service.bring(FILES, ME), FilesUnavailable)
    assert "there is no /dev/fuse" in told
