"""What stands in for the world around the agents of a simulation: clock, machine and shims."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from unittest import mock

from nodeagent import job as job_module
from nodeagent.dispatch import Dispatcher
from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.mechanism import cgroup, signals
from nodeagent.migration import (
    ahead,
    arrival,
    destination,
    doubt,
    handover,
    move,
    preflight,
    source,
)
from nodeagent.migration.capability import Capability
from nodeagent.migration.hold import Point
from nodeagent.migration.plan import Plan
from nodeagent.migration.sending import Sending
from nodeagent.migration.survey import Survey
from nodeagent.places import Places
from nodeagent.services.migration import MigrationService
from nodeagent.shim import messages as m
from nodeagent.shim.message import Message
from nodeagent.shimlink import ShimGone, ShimLink, ShimSilent
from ssi.model.errors import SsiError
from tests.simulation.copies import SimShim
from tests.simulation.virtualtime import VirtualTime

_send: Final = Sending.run

SURVEY: Final = Survey(
    plan=Plan(), blockers=(), programs=(), files=(), listening=(), uid=0, gid=0, memory_bytes=1
)

ReplyT = TypeVar("ReplyT", bound=Message)


@dataclass(eq=False, slots=True)
class Life:
    """One agent process, from its start to its death."""

    node: str
    tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)
    main: asyncio.Task[None] | None = None
    dispatcher: Dispatcher | None = None
    table: JobTable | None = None
    service: MigrationService | None = None
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    dead: bool = False


LIFE: contextvars.ContextVar[Life] = contextvars.ContextVar("life")


@dataclass(eq=False, slots=True)
class Node:
    """A machine: its files, and its agent where one runs."""

    name: str
    places: Places
    life: Life | None = None
    up: bool = True
    keeper_works: bool = True

    @property
    def serving(self) -> Life | None:
        return self.life if self.life is not None and self.life.dispatcher is not None else None


class SimLink(ShimLink):
    """An agent's link to a shim of ours."""

    def __init__(
        self, spawn: Callable[[Coroutine[Any, Any, None]], object], life: Life, shim: SimShim
    ) -> None:
        self.gone = shim.gone
        self._spawn = spawn
        self._life = life
        self._shim = shim

    async def ask(self, body: m.RequestMessage, kind: type[ReplyT], timeout_s: float) -> ReplyT:
        if self._life.dead:
            await asyncio.Event().wait()
        if self.gone.is_set():
            raise ShimGone(path=str(self._shim.path), reason="the connection has ended")
        answer: asyncio.Future[m.ReplyMessage] = asyncio.get_running_loop().create_future()
        self._spawn(self._serve(body, answer))
        try:
            async with asyncio.timeout(timeout_s):
                reply = await answer
        except TimeoutError as exc:
            what = type(body).__name__
            raise ShimSilent(path=str(self._shim.path), request=what, after_s=timeout_s) from exc
        assert isinstance(reply, kind), reply
        return reply

    async def _serve(self, body: m.RequestMessage, answer: asyncio.Future[m.ReplyMessage]) -> None:
        """Goes on without its asker, as a shim does; ends with the shim."""
        work = asyncio.ensure_future(self._handle(body, answer))
        end = asyncio.ensure_future(self.gone.wait())
        try:
            await asyncio.wait([work, end], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            if not answer.done():
                answer.set_exception(ShimGone(path=str(self._shim.path), reason="it died"))
                answer.exception()
        finally:
            work.cancel()
            end.cancel()

    async def _handle(self, body: m.RequestMessage, answer: asyncio.Future[m.ReplyMessage]) -> None:
        await asyncio.sleep(0.001)
        if self._shim.gone.is_set():
            return
        try:
            reply = await self._shim.handle(body)
        except SsiError as exc:
            if not answer.done():
                answer.set_exception(exc)
        else:
            if not answer.done():
                answer.set_result(reply)

    def close(self) -> None:
        pass


class NoProcesses:
    """In the place of the process table."""

    def job_rows(self) -> list[Any]:
        return []

    def pids_of(self, job: Job) -> list[int]:
        return []

    def observe(self, job: Job) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Shims:
    """In the place of the job service."""

    open_shim: Callable[[Job], Awaitable[None]]


class World(Protocol):
    """What the product is given to live in."""

    loop: asyncio.AbstractEventLoop

    async def reach(self, point: Point, gpid: int) -> None:
        """In the place of :func:`nodeagent.migration.hold.reach`."""

    async def connect(
        self, path: Path, tasks: asyncio.TaskGroup, timeout_s: float = 5.0
    ) -> ShimLink:
        """In the place of :meth:`ShimLink.connect`."""

    def kill_pid(self, pid: int, number: int) -> None:
        """In the place of :func:`nodeagent.mechanism.signals.send`."""


@contextmanager
def in_place_of_the_world(world: World) -> Iterator[None]:
    """The product reads our clock, connects to our shims and finds nothing on the machine."""
    clock = VirtualTime(world.loop)
    with _patching() as patch:
        for module in (ahead, arrival, destination, doubt, handover, job_module, move, source):
            patch(module, "time", clock)
        for module in (ahead, destination, handover, source):
            patch(module, "reach", world.reach)
        patch(destination, "look", lambda *_: ([], []))
        patch(destination, "check_opened", lambda *_: None)
        patch(handover, "look_again", lambda *_: ())
        patch(preflight.Preflight, "_survey", _survey)
        patch(Capability, "refresh", lambda _: None)
        patch(Capability, "blockers", lambda _: [])
        patch(Capability, "live_blockers", lambda *_: [])
        patch(Sending, "run", _send_when_written)
        patch(cgroup, "_roots", list)
        patch(ShimLink, "connect", world.connect)
        patch(signals, "send", world.kill_pid)
        yield


async def _send_when_written(sending: Sending) -> None:
    """Its thread would wait for the end of the dump, and here nothing else would go on."""
    while not sending.reader.written.is_set():
        await asyncio.sleep(0.05)
    await _send(sending)


async def _survey(_self: object, _job: Job) -> Survey:
    return SURVEY


@contextmanager
def _patching() -> Iterator[Callable[[object, str, object], None]]:
    """Patches until the end of the block."""
    with mock.patch.multiple("os", fsync=lambda _: None):
        patches = []

        def patch(owner: object, name: str, value: object) -> None:
            made = mock.patch.object(owner, name, value)
            made.start()
            patches.append(made)

        try:
            yield patch
        finally:
            for made in reversed(patches):
                made.stop()
