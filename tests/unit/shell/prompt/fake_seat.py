"""A session without a system: lines are remembered, and a bash of this machine is asked."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from shell.session.values import Finished, JobLine, ShellLeft, Where
from ssi.model.errors import SsiError
from ssi.model.node import NodeState

Deed = Callable[["FakeSeat"], int]


@dataclass
class FakeSeat:
    """Stands in for :class:`shell.session.session.Session`.

    Attributes:
        lines: What was run.
        deeds: What a line does, by its text, and its status; any other line ends with 0.
        told: What is to be told before the next prompt.
        asked: On which nodes bash was asked something.
        answers: Whether nodes answer at all.
        interrupts: How often ^C was pressed at the prompt.
    """

    where: Where = field(
        default_factory=lambda: Where(node="n1", cwd="/home/ada/src", user="ada", home="/home/ada")
    )
    lines: list[str] = field(default_factory=list)
    deeds: dict[str, Deed] = field(default_factory=dict)
    current: list[JobLine] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    answers: bool = True
    unread: bytes = b""
    interrupts: int = 0
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/bin:/bin"})
    directory: str = "/"

    async def run(self, line: str) -> Finished:
        self.lines.append(line)
        if line == "exit":
            raise ShellLeft(status=3)
        where = self.where
        status = self.deeds[line](self) if line in self.deeds else 0
        return Finished(
            line=line,
            status=status,
            statuses=(status,),
            duration_s=0.1,
            node=where.node,
            cwd=where.cwd,
        )

    async def incomplete(self, text: str) -> bool:
        complaint = (await self._bash("-n", "-c", text)).stderr
        return b"unexpected end of file" in complaint or b"unexpected EOF" in complaint

    def jobs(self) -> Sequence[JobLine]:
        return self.current

    async def query(self, script: str, *, node: str = "", limit_s: float) -> bytes | None:
        self.asked.append(node)
        if not self.answers:
            await asyncio.sleep(limit_s)
            return None
        return (await self._bash("--norc", "-c", script)).stdout

    async def _bash(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        # In a thread, which the end of the loop waits for: no test leaves a process behind.
        return await asyncio.to_thread(
            subprocess.run,
            ["bash", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd=self.directory,
            env=self.environment,
        )

    def interrupted(self) -> None:
        self.interrupts += 1

    def type_ahead(self, keys: bytes) -> None:
        self.unread += keys

    def typed_ahead(self) -> bytes:
        keys, self.unread = self.unread, b""
        return keys

    async def notices(self) -> list[str]:
        told, self.told = self.told, []
        return told

    def goes(self, **where: object) -> None:
        """The session is elsewhere from now on."""
        self.where = replace(self.where, **where)  # type: ignore[arg-type]


def job(number: int, command: str, state: str = "Running") -> JobLine:
    return JobLine(
        number=number, mark=" ", gpid=15000000 + number, node="n2", state=state, command=command
    )


def falls(error: SsiError) -> Deed:
    """A line that fails with an error of ours."""

    def fall(_: FakeSeat) -> int:
        raise error

    return fall


def node_dies(seat: FakeSeat) -> int:
    seat.goes(state=NodeState.SUSPECT)
    return 255
