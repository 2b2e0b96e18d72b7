"""A machine that is no node serves its files to jobs elsewhere, as long as they need them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import msgspec
import pytest

from nodeagent.dispatch import Caller
from nodeagent.exported import Exported
from nodeagent.filesystem.server.orders import Serve
from nodeagent.homeserver import HomeServer
from nodeagent.peers import Peers
from nodeagent.services import homefiles
from nodeagent.services.homefiles import HomeFiles, Machine
from ssi.protocol.clients import FilesWanted, ListServed, OfferFiles, ServeFiles
from ssi.protocol.refusals import LinkDown

HOME = "/home/bob"
ME = Caller(user="bob")
MACHINE = Machine(
    name="t480~0123456789", host="t480", machine="3fa9", public_key="k" * 40, user="bob",
    group="staff",
)  # fmt: skip


class Server(HomeServer):
    """What it would be told."""

    def __init__(self) -> None:
        self.told: Serve | None = None

    def tell(self, order: Serve) -> None:
        self.told = order

    def end(self) -> None:
        self.told = None


class Nodes:
    """Nodes that say what the test wants, each thing once."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self.stands = True
        self.asked: list[tuple[str, OfferFiles]] = []
        self._says: dict[str, asyncio.Queue[FilesWanted | None]] = {}

    def names(self) -> list[str]:
        return list(self._names)

    def address(self, node: str) -> str:
        return node.replace("n", "10.0.0.")

    async def ask(self, node: str, body: OfferFiles, *, timeout_s: float) -> FilesWanted:
        assert timeout_s > homefiles.WAIT_S
        self.asked.append((node, body))
        said = await self._queue(node).get()
        if said is None:
            raise LinkDown(node=node, reason="no connection")
        return said

    def say(self, node: str, **wanted: object) -> None:
        self._queue(node).put_nowait(msgspec.convert({"state": 1, **wanted}, _Wanted).reply())

    def fall_silent(self, node: str) -> None:
        self._queue(node).put_nowait(None)

    def _queue(self, node: str) -> asyncio.Queue[FilesWanted | None]:
        return self._says.setdefault(node, asyncio.Queue())


class _Wanted(msgspec.Struct):
    state: int = 1
    port: int = 0
    jobs: int = 0
    paths: tuple[str, ...] = ()

    def reply(self) -> FilesWanted:
        return FilesWanted(state=self.state, port=self.port, jobs=self.jobs, paths=self.paths)


class Laptop:
    """A machine whose agent runs for the length of a test."""

    def __init__(self, folder: Path) -> None:
        self.server, self.nodes = Server(), Nodes("n1", "n2")
        self.now_s = 1_000_000.0
        self.files = HomeFiles(
            MACHINE,
            cast("Peers", self.nodes),
            Exported(folder / "exported", self.now_s),
            self.server,
        )

    def time(self) -> float:
        return self.now_s

    async def until(self, happened: Callable[[], object]) -> None:
        """Lets the agent work until something is so."""
        while not happened():
            await asyncio.sleep(0.001)

    async def serve(self) -> None:
        await self.files._serve(ME, ServeFiles(paths=(HOME,)))


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laptop:
    laptop = Laptop(tmp_path)
    monkeypatch.setattr(homefiles, "time", laptop)
    for name in ("LOOK_S", "AGAIN_S", "AGAIN_MOST_S"):
        monkeypatch.setattr(homefiles, name, 0.001)
    return laptop


def run(laptop: Laptop, test: Callable[[], Awaitable[None]]) -> None:
    """Carries a test out while the agent runs."""

    async def both() -> None:
        async with asyncio.timeout(60):
            running = asyncio.ensure_future(laptop.files.run())
            try:
                await test()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    asyncio.run(both())


def test_every_node_is_asked_and_nothing_runs_until_somebody_needs_it(laptop: Laptop) -> None:
    async def test() -> None:
        await laptop.until(lambda: len(laptop.nodes.asked) == 2)
        for name in ("n1", "n2"):
            laptop.nodes.say(name)
        await laptop.until(lambda: len(laptop.nodes.asked) == 4)
        assert laptop.server.told is None and not laptop.files.is_needed()

    run(laptop, test)
    assert {name for name, _ in laptop.nodes.asked} == {"n1", "n2"}
    assert [body.known for _, body in laptop.nodes.asked] == [0, 0, 1, 1]
    assert {body.user for _, body in laptop.nodes.asked} == {"bob"}


def test_server_runs_as_soon_as_a_job_is_about_to_start(laptop: Laptop) -> None:
    async def test() -> None:
        await laptop.serve()
        assert laptop.server.told == Serve((HOME,), ()) and laptop.files.is_needed()
        laptop.nodes.say("n1", port=4000, jobs=1, paths=[HOME])
        served = Serve((HOME,), ("tcp://10.0.0.1:4000",))
        await laptop.until(lambda: laptop.server.told == served)

    run(laptop, test)
    assert laptop.server.told is None, "it ends with the agent"


def test_server_ends_when_no_node_needs_it_any_more(laptop: Laptop) -> None:
    async def test() -> None:
        await laptop.serve()
        laptop.nodes.say("n1", port=4000, jobs=1, paths=[HOME])
        laptop.nodes.say("n2")
        await laptop.until(lambda: laptop.server.told and laptop.server.told.urls)
        laptop.nodes.say("n1", state=2, port=4000)
        await laptop.until(lambda: laptop.nodes.asked[-1][1].known == 2)
        laptop.now_s += 100.0
        await laptop.until(lambda: laptop.server.told and not laptop.server.told.paths)
        assert laptop.files.is_needed(), "the mount stands"
        laptop.nodes.say("n1", state=3)
        await laptop.until(lambda: laptop.server.told is None)
        assert not laptop.files.is_needed()

    run(laptop, test)


def test_node_that_falls_silent_is_believed_to_need_what_it_needed(laptop: Laptop) -> None:
    async def test() -> None:
        await laptop.serve()
        laptop.nodes.say("n1", port=4000, jobs=2, paths=[HOME])
        await laptop.until(lambda: laptop.server.told and laptop.server.told.urls)
        laptop.now_s += 1000.0
        before = len(laptop.nodes.asked)
        laptop.nodes.fall_silent("n1")
        await laptop.until(lambda: len(laptop.nodes.asked) > before)
        assert laptop.server.told == Serve((HOME,), ("tcp://10.0.0.1:4000",))
        assert laptop.nodes.asked[-1][1].known == 0, "it may have been started again"
        [row] = (await laptop.files._list(ME, ListServed())).rows
        assert (row.node, row.jobs, "no connection" in row.problem) == ("n1", 2, True)

    run(laptop, test)


def test_files_of_a_job_that_moves_stay_served_whichever_node_tells_first(laptop: Laptop) -> None:
    async def test() -> None:
        await laptop.serve()
        laptop.nodes.say("n1", port=4000, jobs=1, paths=[HOME])
        laptop.nodes.say("n2", port=4001)
        await laptop.until(lambda: laptop.server.told and len(laptop.server.told.urls) == 2)
        laptop.now_s += 1000.0
        await asyncio.sleep(0.01)
        laptop.nodes.say("n1", state=2, port=4000)
        await laptop.until(lambda: laptop.nodes.asked[-1][1].known == 2)
        laptop.now_s += 10.0
        await asyncio.sleep(0.01)
        laptop.nodes.say("n2", state=2, port=4001, jobs=1, paths=[HOME])
        await laptop.until(lambda: [body.known for _, body in laptop.nodes.asked].count(2) == 2)
        laptop.now_s += 1000.0
        await asyncio.sleep(0.01)
        assert laptop.server.told is not None and laptop.server.told.paths == (HOME,)

    run(laptop, test)


def test_node_that_cannot_be_asked_may_have_got_a_job_meanwhile(laptop: Laptop) -> None:
    async def test() -> None:
        await laptop.serve()
        laptop.nodes.say("n1", port=4000, jobs=1, paths=[HOME])
        laptop.nodes.say("n2")
        await laptop.until(lambda: len(laptop.nodes.asked) == 4)
        laptop.nodes.fall_silent("n2")
        await laptop.until(lambda: len(laptop.nodes.asked) == 5)
        laptop.nodes.say("n1", state=2, port=4000)
        await laptop.until(lambda: len(laptop.nodes.asked) == 6)
        laptop.now_s += 1000.0
        await asyncio.sleep(0.01)
        assert laptop.server.told is not None and laptop.server.told.paths == (HOME,)

    run(laptop, test)


def test_what_a_node_wants_beyond_what_was_named_here_is_not_served(laptop: Laptop) -> None:
    async def test() -> None:
        laptop.nodes.say("n1", port=4000, jobs=1, paths=["/", HOME])
        await laptop.until(lambda: laptop.server.told is not None)
        assert laptop.server.told == Serve((), ("tcp://10.0.0.1:4000",))

    run(laptop, test)


def test_nodes_of_a_large_system_are_asked_on_only_while_there_is_a_job(laptop: Laptop) -> None:
    async def test() -> None:
        laptop.nodes.stands = False
        laptop.nodes.say("n1")
        laptop.nodes.say("n2")
        await laptop.until(lambda: all(node.wanted for node in laptop.files._nodes.values()))
        await asyncio.sleep(0.01)
        assert len(laptop.nodes.asked) == 2
        await laptop.serve()
        await laptop.until(lambda: len(laptop.nodes.asked) == 4)

    run(laptop, test)
