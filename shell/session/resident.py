"""The resident bash of a session, from afar: lines and keys go there, screen and word come back."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from shell.errors import BashLost
from shell.session.hosting import program
from shell.session.told import Frames, Holding, Told, decode_told, frame
from shell.session.values import ShellLeft
from ssi.client.jobs import JobHandle
from ssi.client.sight import Root, Sight, with_files
from ssi.client.system import System
from ssi.client.terminal import terminal_of
from ssi.model.errors import SsiError
from ssi.model.job import JobSpec

NAME: Final = "ssi-shell"
"""The last word of the job that holds the bash of a session, by which it is known in lists."""

LAST_WORDS_S: Final = 5.0
"""Of a bash that takes nothing any more."""

START_LIMIT_S: Final = 30.0

MOST_BYTES: Final = 1 << 20
"""Of one message to it."""

_BOOT: Final = (
    "import os,sys;n=int(sys.argv[1]);s=b''\n"
    "while len(s)<n:s+=os.read(0,n-len(s))\n"
    "exec(compile(s,sys.argv[2],'exec'))"
)
"""Takes the program of the host from its stdin: it is the client's, whatever the node has."""

Screen = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """How a resident bash begins.

    Attributes:
        cwd: Directory; the home directory where there is none of that name.
        environment: Added to that of the login.
        state: Of an earlier bash; empty for the rc file.
        rc: Path of that, as bash reads it.
    """

    cwd: str
    environment: dict[str, str]
    state: str = ""
    rc: str = '"${XDG_CONFIG_HOME:-$HOME/.config}/ssi/rc"'


class Resident:
    """See the module.

    Attributes:
        node: Where it is.
        holding: What it holds.
        cwd: Its directory.
        told_jobs: What its own ``jobs`` shows: programs of compound commands that were stopped.
        lost: Why it cannot be reached; None where it can.
    """

    def __init__(self, job: JobHandle, screen: Screen) -> None:
        self.node = job.row.node
        self.holding = Holding()
        self.cwd = "/"
        self.told_jobs = ""
        self.lost: SsiError | None = None
        self._job = job
        self._screen = screen
        self._sent = 0
        self._outgoing = bytearray()
        self._news = asyncio.Event()
        self._ending: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._late = b""
        self._questions: dict[str, asyncio.Future[bytes | None]] = {}
        self._asked = 0
        self._tasks = (
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._send_all()),
        )

    @classmethod
    async def start(cls, system: System, node: str, how: Beginning, screen: Screen) -> Resident:
        """A bash on a node, which has read its rc file.

        Raises:
            SsiError: It cannot be started.
        """
        folder = files("shell.session")
        source = program().encode()
        spec = JobSpec(
            argv=("python3", "-ISc", _BOOT, str(len(source)), NAME),
            cwd=how.cwd,
            environment=how.environment,
        )
        spec = await with_files(system, node, spec, sight(), lambda _: None)
        resident = cls(await JobHandle.start(system, node, spec), screen)
        size = terminal_of()
        begin = {
            "resident": folder.joinpath("resident.bash").read_text(encoding="utf-8"),
            "cwd": how.cwd,
            "environment": {"TERM": size.term, **how.environment},
            "state": how.state,
            "rc": how.rc,
            "size": f"{size.rows} {size.columns}",
        }
        body = json.dumps(begin).encode("utf-8", "surrogateescape")
        resident._give(source + frame("B", body))
        try:
            async with asyncio.timeout(START_LIMIT_S):
                resident._take(await resident._ending)
        except TimeoutError as exc:
            await resident.close()
            raise BashLost(node=node, reason=f"not ready after {START_LIMIT_S:.0f} s") from exc
        resident._job.hasten()
        return resident

    async def line(self, text: str, status: int = 0) -> Told:
        """Evaluates a line, with ``$?`` as it was; what holds afterwards.

        Raises:
            ShellLeft: Bash ended, as it was told.
            SsiError: It is lost.
        """
        if self.lost is not None:
            raise self.lost
        self._ending = asyncio.get_running_loop().create_future()
        self._give(frame("L", b"%d\0" % status + text.encode("utf-8", "surrogateescape")))
        told = await asyncio.shield(self._ending)
        self._take(told)
        return told

    def lose(self, error: SsiError) -> None:
        """Whoever waits for it is told that it cannot be reached."""
        self.lost = self.lost or error
        if not self._ending.done():
            self._ending.set_exception(error)

    def variable(self, name: str) -> str:
        """A simple variable that it exports; empty where there is none."""
        found = re.search(rf'^declare -x {name}="([^"\\\\$`]*)"$', self.holding.state, re.M)
        return found[1] if found else ""

    def late_keys(self) -> bytes:
        """Keys that came when the line had ended: they are for what reads keys next."""
        keys, self._late = self._late, b""
        return keys

    def keys(self, data: bytes) -> None:
        """Types."""
        self._give(frame("K", data))

    def resize(self, rows: int, columns: int) -> None:
        """Gives its terminal another size."""
        self._give(frame("W", f"{rows} {columns}".encode()))

    async def query(self, script: str, limit_s: float) -> bytes | None:
        """What a script beside it prints; None where it is not there in time."""
        text = script.encode("utf-8", "surrogateescape")
        return await self._ask("Q", b"%f\0" % limit_s + text, limit_s)

    async def fetch(self, path: str, limit_s: float) -> bytes | None:
        """A small file of its node; None where there is none."""
        return await self._ask("F", path.encode("utf-8", "surrogateescape"), limit_s)

    async def close(self) -> None:
        """Hangs it up."""
        await self.drop()
        with suppress(SsiError, TimeoutError):
            async with asyncio.timeout(3.0):
                await self._job.write(self._sent, b"", end=True)
                await self._job.wait()
                await self._job.release()

    async def drop(self) -> None:
        """Hears and says no more."""
        self._job.dawdle()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._ending.done() and not self._ending.cancelled():
            self._ending.exception()  # was told already

    async def _ask(self, kind: str, body: bytes, limit_s: float) -> bytes | None:
        self._asked += 1
        name = str(self._asked)
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._questions[name] = answer
        try:
            async with asyncio.timeout(limit_s):
                self._give(frame(kind, name.encode() + b"\0" + body))
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._questions[name]

    def _take(self, told: Told) -> None:
        self.holding = self.holding.after(told)
        self.cwd = told.cwd
        running = [line for line in told.jobs.splitlines() if " Stopped " in line]
        self.told_jobs = "".join(f"{line}\n" for line in running)

    def _give(self, data: bytes) -> None:
        self._outgoing += data
        self._news.set()

    async def _send_all(self) -> None:
        """Sends what was given, in its order. Never cancelled between a write and its answer."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._outgoing:
                    accepted = await self._job.write(self._sent, bytes(self._outgoing[:MOST_BYTES]))
                    if accepted.closed:
                        # What it said last may be on its way still: as that it was told to end.
                        await asyncio.wait({self._tasks[0]}, timeout=LAST_WORDS_S)
                        raise BashLost(node=self.node, reason="it has ended")
                    del self._outgoing[: accepted.offset - self._sent]
                    self._sent = accepted.offset
        except SsiError as exc:
            self.lose(exc)

    async def _listen(self) -> None:
        """Hears what it says, to its end."""
        offset = 0
        frames = Frames()
        try:
            while True:
                data = await self._job.read("stdout", offset)
                offset = data.offset + len(data.data)
                for kind, body in frames.feed(data.data):
                    await self._hear(kind, body)
                if data.ended:
                    break
            reason = "it ended by itself"
            raise BashLost(node=self.node, reason=reason)
        except SsiError as exc:
            self.lose(exc)

    async def _hear(self, kind: str, body: bytes) -> None:
        match kind:
            case "O":
                await self._screen(body)
            case "T":
                if not self._ending.done():
                    self._ending.set_result(decode_told(body))
            case "U" if self._ending.done():
                self._late += body
            case "U":  # the next line has been given meanwhile
                self.keys(body)
            case "A":
                name, separator, answer = body.partition(b"\0")
                question = self._questions.get(name.decode())
                if question is not None and not question.done():
                    question.set_result(answer if separator else None)
            case "X":
                if int(body) < 0:
                    killer = signal.Signals(-int(body)).name
                    self.lose(BashLost(node=self.node, reason=f"it was ended by {killer}"))
                elif not self._ending.done():
                    self._ending.set_exception(ShellLeft(int(body)))


def sight() -> Sight:
    """Whose files the jobs of this shell see; as ``ssi run`` has it."""
    return Sight(Root(os.environ.get("SSI_ROOT") or Root.AUTO), ())
