"""Little scripts on other nodes than the session's.

A bash that stays there answers them. While it is busy, or on its way, a script is a job of its
own.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from shell.session.launch import piped_spec
from shell.session.sidebash import SideBash
from ssi.client.jobs import JobHandle
from ssi.model.errors import SsiError

if TYPE_CHECKING:
    from shell.session.session import Session

LONGEST_S: Final = 5.0
"""After it a script is killed; whoever asked has given up long before."""

MOMENT_S: Final = 1.0
"""How long the end of a session waits for them; then their leases end them."""


MOST_STAYING: Final = 8
"""Nodes with a bash that stays; the one that was asked longest ago goes first."""


class Asides:
    """Scripts that run now, those that nobody waits for any more included.

    Each job is taken away at its end, however that comes: else `ssi jobs` would show what was asked
    while somebody typed.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running: set[asyncio.Task[None]] = set()
        self._staying: dict[str, SideBash] = {}
        self._busy: set[str] = set()

    async def ask(self, node: str, script: str, limit_s: float) -> bytes | None:
        """What a script prints there; None where it does not come in time."""
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._begin(self._answer(node, script, answer))
        await asyncio.wait({answer}, timeout=limit_s)
        return answer.result() if answer.done() else None

    async def close(self) -> None:
        """Waits a moment for those that run to be taken away."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=MOMENT_S)
            for task in late:
                task.cancel()
        staying, self._staying = list(self._staying.values()), {}
        await asyncio.gather(*(bash.close() for bash in staying))

    def _begin(self, deed: Coroutine[None, None, None]) -> None:
        running = asyncio.create_task(deed)
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _answer(self, node: str, script: str, answer: asyncio.Future[bytes | None]) -> None:
        if node in self._busy:
            await self._run(node, script, answer)
            return
        bash = self._staying.pop(node, None)
        if bash is not None and bash.is_fit(self._session.where.node):
            self._staying[node] = bash  # the last that was asked
            await self._ask_staying(bash, script, answer)
            return
        if bash is not None:
            await bash.close()
        self._busy.add(node)
        self._begin(self._settle_on(node))
        await self._run(node, script, answer)

    async def _settle_on(self, node: str) -> None:
        """A bash stays there from now on."""
        try:
            with suppress(SsiError):
                session = self._session
                bash = await SideBash.start(session.system, node, session.where.node)
                self._staying[node] = bash
                await self._ask_staying(bash, "", asyncio.get_running_loop().create_future())
        finally:
            self._busy.discard(node)
        while len(self._staying) > MOST_STAYING:
            await self._staying.pop(next(iter(self._staying))).close()

    async def _ask_staying(
        self, bash: SideBash, script: str, answer: asyncio.Future[bytes | None]
    ) -> None:
        self._busy.add(bash.node)
        got: bytes | None = None
        try:
            async with asyncio.timeout(LONGEST_S):
                got = await bash.ask(script, self._session.where.cwd)
        except (TimeoutError, SsiError):
            self._staying.pop(bash.node, None)
        finally:
            self._busy.discard(bash.node)
            answer.set_result(got)
        if got is None:
            await bash.close()

    async def _run(self, node: str, script: str, answer: asyncio.Future[bytes | None]) -> None:
        session = self._session
        home, cwd = session.where.node, session.where.cwd
        got: bytes | None = None
        try:
            spec = await piped_spec(session.system, node, script, cwd=cwd, state="", home=home)
            job = await JobHandle.start(session.system, node, spec)
        except SsiError:
            answer.set_result(None)
            return
        try:
            got = await _written(job)
        except (TimeoutError, SsiError):
            pass  # it is late, or its node is: nothing is known
        finally:
            answer.set_result(got)
        with suppress(SsiError, TimeoutError):
            await self._take_away(job)

    async def _take_away(self, job: JobHandle) -> None:
        async with asyncio.timeout(LONGEST_S):
            await job.signal(signal.SIGKILL)
            await job.wait()
            await job.release()


async def _written(job: JobHandle) -> bytes:
    """All that a job writes until it ends."""
    async with asyncio.timeout(LONGEST_S):
        await job.write(0, b"", end=True)
        got = b""
        while not (data := await job.read("stdout", len(got))).ended:
            got += data.data
        return got + data.data
