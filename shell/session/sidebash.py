"""A bash that stays on another node to answer little scripts, so that each costs one round trip.

It is a job that ends with the session, or 20 s after its client was heard of last. Each script runs
in a subshell of it: nothing of one is seen by the next, but bash-completion is there for all.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
from contextlib import suppress
from shlex import quote
from typing import Final

import msgspec

from shell.session.launch import piped_spec
from shell.session.resident import NAME
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.protocol.refusals import NotAJob

END_LIMIT_S: Final = 2.0

SERVER: Final = r"""
unset SSI_SIDE
if [[ -r /usr/share/bash-completion/bash_completion ]]; then
    . /usr/share/bash-completion/bash_completion
fi </dev/null >/dev/null 2>&1
while IFS= read -r -d '' __ssi_mark && IFS= read -r -d '' __ssi_script; do
    printf %s "$__ssi_mark"
    (eval "$__ssi_script") </dev/null 2>/dev/null
    printf %s "$__ssi_mark"
done
"""


class SideBash:
    """See the module. It answers one question at a time.

    Attributes:
        node: Where it was started.
    """

    def __init__(self, node: str, home: str, job: JobHandle) -> None:
        self.node = node
        self._home = home
        self._job = job
        self._sent = 0
        self._heard = bytearray()
        self._news = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, system: System, node: str, home: str) -> SideBash:
        """One on a node, for a session whose bash is on ``home``.

        Raises:
            SsiError: It was not started.
        """
        text = 'eval "$SSI_SIDE"'  # which is all that lists of jobs show of it
        spec = await piped_spec(system, node, text, cwd="", state="", home=home)
        environment = {**spec.environment, "SSI_SIDE": SERVER}
        spec = msgspec.structs.replace(spec, argv=(*spec.argv, NAME), environment=environment)
        return cls(node, home, await JobHandle.start(system, node, spec))

    def is_fit(self, home: str) -> bool:
        """Whether it can be asked: it lives where it was started, and sees what jobs now see."""
        is_there = not self._listening.done() and self._job.node == self.node
        return is_there and self._home == home

    async def ask(self, script: str, cwd: str) -> bytes:
        """What a script prints there. Not to be cancelled: close it after an error.

        Raises:
            SsiError: It is out of reach, or has ended.
        """
        mark = secrets.token_hex(16).encode()
        text = f"cd -- {quote(cwd)} 2>/dev/null\n{script}".replace("\0", "")
        await self._send(mark + b"\0" + text.encode("utf-8", "surrogateescape") + b"\0")
        while self._heard.count(mark) < 2:
            if self._listening.done():
                raise NotAJob(gpid=self._job.row.gpid, node=self.node)
            self._news.clear()
            await self._news.wait()
        _, answer, _ = bytes(self._heard).split(mark, 2)
        self._heard.clear()
        return answer

    async def close(self) -> None:
        """Ends it and whatever it runs; its lease does where it is out of reach."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        with suppress(SsiError, TimeoutError):
            async with asyncio.timeout(END_LIMIT_S):
                await self._job.signal(signal.SIGKILL)
                await self._job.wait()
                await self._job.release()

    async def _send(self, data: bytes) -> None:
        while data:
            accepted = await self._job.write(self._sent, data)
            if accepted.closed:
                raise NotAJob(gpid=self._job.row.gpid, node=self.node)
            data = data[accepted.offset - self._sent :]
            self._sent = accepted.offset

    async def _listen(self) -> None:
        offset = 0
        try:
            with suppress(SsiError):
                while not (data := await self._job.read("stdout", offset)).ended:
                    offset = data.offset + len(data.data)
                    self._heard += data.data
                    self._news.set()
        finally:
            self._news.set()
