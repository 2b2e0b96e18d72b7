"""Little scripts on other nodes than the session's, each a job that nobody sees."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from shell.session.launch import piped_spec
from ssi.client.jobs import JobHandle
from ssi.model.errors import SsiError

if TYPE_CHECKING:
    from shell.session.session import Session

LONGEST_S: Final = 5.0
"""After it a script is killed; whoever asked has given up long before."""

MOMENT_S: Final = 1.0
"""How long the end of a session waits for them; then their leases end them."""


class Asides:
    """Scripts that run now, those that nobody waits for any more included.

    Each job is taken away at its end, however that comes: else `ssi jobs` would show what was asked
    while somebody typed.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running: set[asyncio.Task[None]] = set()

    async def ask(self, node: str, script: str, limit_s: float) -> bytes | None:
        """What a script prints there; None where it does not come in time."""
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(self._run(node, script, answer))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        await asyncio.wait({answer}, timeout=limit_s)
        return answer.result() if answer.done() else None

    async def close(self) -> None:
        """Waits a moment for those that run to be taken away."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=MOMENT_S)
            for task in late:
                task.cancel()

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
