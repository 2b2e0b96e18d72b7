"""A system of three nodes behind a connection that never leaves the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pytest

from ssi.cli.main import built, carry_out
from ssi.cli.outcome import ended
from ssi.client.connection import DEFAULT_TIMEOUT_S, Connection
from ssi.model.errors import SsiError
from ssi.model.node import NodeRow, NodeState
from ssi.model.process import ProcessRow
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.system import ListNodes, ListProcesses, NodeList, ProcessList
from tests.unit.view.samples import NOON_S, node, process


def three_nodes() -> list[NodeRow]:
    """The door is n1's."""
    return [node(rtt_ms=0.0), node(name="n2", number=2), node(name="n3", number=3)]


def one_process_each() -> dict[str, list[ProcessRow]]:
    """On n1 `xz` of ada, on n2 `sleep` of root, on n3 `sh` of a job of ada."""
    return {
        "n1": [process(gpid=10000042, command=("xz", "-9"), cpu_percent=50.0)],
        "n2": [process(gpid=20000007, user="root", name="sleep", command=(), cpu_percent=0.0)],
        "n3": [process(gpid=15000001, job=15000001, name="sh", command=("sh", "-c", "true"))],
    }


class FakeConnection(Connection):
    """Answers what tests put into it, and keeps what was asked."""

    def __init__(self) -> None:  # without a socket, and so without the real one's reader
        self.nodes = three_nodes()
        self.processes = one_process_each()
        self.failures: dict[str, SsiError] = {}
        self.asked: list[tuple[str, RequestMessage, float]] = []
        self.looks_until_interrupt = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    async def ask(
        self,
        body: RequestMessage,
        *,
        node: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        request_id: bytes | None = None,
    ) -> ReplyBody:
        self.asked.append((node, body, timeout_s))
        await asyncio.sleep(0)
        if node in self.failures:
            raise self.failures[node]
        if isinstance(body, ListNodes):
            return NodeList(observer="n1", rows=tuple(self.nodes))
        assert isinstance(body, ListProcesses)
        rows = [row for row in self.processes[node] if row.job or not body.jobs]
        return ProcessList(node=node, taken_at_s=NOON_S, rows=tuple(rows))

    def kill(self, name: str, age_s: float = 12.0) -> None:
        """The node was last heard of so long ago."""
        self.nodes = [
            node(
                name=row.name,
                number=row.number,
                state=NodeState.DEAD,
                age_s=age_s,
                rtt_ms=0.4,
                metrics=row.metrics,
            )
            if row.name == name
            else row
            for row in self.nodes
        ]


class CommandLine:
    """Runs one command against a fake system."""

    def __init__(self, command: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
        self.system = FakeConnection()
        self._capsys = capsys
        self._command = built(command)

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, stdout and stderr."""
        status = ended(lambda: carry_out(self._command, words))
        shown = self._capsys.readouterr()
        return status, shown.out, shown.err
