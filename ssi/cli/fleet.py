"""``ssi run`` on many nodes: what they write as it comes, or equal outputs folded, or as JSON."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Sequence, Set
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from typing import Final

from ssi.cli.exits import INTERRUPTED, highest, of_running
from ssi.cli.outcome import complain_all, note
from ssi.cli.output import Output
from ssi.cli.settings import wants_colour, wants_progress
from ssi.client.attachment import OutputClosed, Source, put, read_some
from ssi.client.errors import NotRun, NotTold
from ssi.client.fleet import Fleet, Orders, Prepare, nothing
from ssi.client.spool import Spool
from ssi.client.system import System
from ssi.model.errors import UsageError
from ssi.model.job import StreamName
from ssi.model.node import NodeRow
from ssi.model.noderun import NodeRun
from ssi.model.nodeset import fold
from ssi.view.colour import paint
from ssi.view.complaints import folded_lines
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Format, Report
from ssi.view.outputs import Lines, folded_text
from ssi.view.runs import errors_of, run_object, summary_of

_NODE: Final = "\0"
"""Stands for the name of a node."""

KEPT_BYTES: Final = 16 * 1024 * 1024
"""Of each stream of each node, where outputs are shown at the end."""

FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
DESCRIPTORS: Final[dict[StreamName, int]] = {"stdout": 1, "stderr": 2}


class Notices:
    """What the user should know of how commands were started, once for all nodes alike."""

    def __init__(self) -> None:
        self._nodes_by_text: dict[str, list[str]] = {}

    def add(self, node: str, text: str) -> None:
        """Keeps one."""
        self._nodes_by_text.setdefault(text.replace(node, _NODE), []).append(node)

    def lines(self) -> list[str]:
        """Each once, in the name of all nodes that it is about."""
        return [text.replace(_NODE, fold(nodes)) for text, nodes in self._nodes_by_text.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a command is run on several nodes.

    Attributes:
        fold: Whether equal outputs are shown as one, at the end.
        stdin: Which node reads this process's stdin; ``all`` for each; empty for none.
    """

    output: Output
    orders: Orders
    fold: bool = False
    stdin: str = ""
    notices: Notices = field(default_factory=Notices)


async def run_on_many(system: System, rows: Sequence[NodeRow], prepare: Prepare, plan: Plan) -> int:
    """Runs a command on nodes, shows what they write, and sums up; the highest exit status.

    As of a signal where a SIGINT that came to this process ended a command, or did not reach it.

    Raises:
        UsageError: The node that was to read stdin is none of them.
    """
    if plan.stdin not in {"", "all", *(row.name for row in rows)}:
        raise UsageError(text=f"--stdin {plan.stdin}: it is none of the nodes that run the command")
    began_s = time.monotonic()
    async with AsyncExitStack() as stack:
        spool = await stack.enter_async_context(Spool(_own_stdin)) if plan.stdin == "all" else None
        audience = _Audience(plan, len(rows))
        fleet = Fleet(system, prepare, plan.orders, audience, _source_of(plan.stdin, spool))
        with ExitStack() as signals:
            heard = _forward_signals(fleet, signals)
            try:
                runs = await fleet.run(rows)
            except OutputClosed:
                return 128 + signal.SIGPIPE
    await audience.close(runs)
    for run in runs:
        if run.notice:
            plan.notices.add(run.node, run.notice)
    for line in plan.notices.lines():
        note(line)
    errors = errors_of(runs)
    complain_all(folded_lines(errors))
    summary = summary_of(runs, time.monotonic() - began_s)
    if any(run.failed for run in runs):
        complain_all([summary])
    elif not plan.output.is_data:
        note(summary)
    if signal.SIGINT in heard and any(map(_was_interrupted, runs)):
        return INTERRUPTED
    return highest(_status(run) or 0 for run in runs if not isinstance(run.error, NotRun))


def _was_interrupted(run: NodeRun) -> bool:
    if isinstance(run.error, NotTold):
        return run.error.signal == signal.SIGINT.name
    return run.killed_by == signal.SIGINT


def _status(run: NodeRun) -> int | None:
    """As ``ssi run`` on that node alone would have ended; None for one that goes on."""
    return run.exit_status if run.error is None else of_running(run.error)


async def _own_stdin() -> bytes:
    return await read_some(0)


def _source_of(stdin: str, spool: Spool | None) -> Callable[[str], Source]:
    def source(node: str) -> Source:
        if spool is not None:
            return spool.reader()
        return _own_stdin if node == stdin else nothing

    return source


def _forward_signals(fleet: Fleet, stack: ExitStack) -> Set[int]:
    """Signals go to all commands; whoever asks a second time means it. Those that came."""
    loop = asyncio.get_running_loop()
    under_way: set[asyncio.Task[None]] = set()
    heard: set[int] = set()

    def forward(number: int) -> None:
        heard.add(number)
        task = loop.create_task(fleet.signal(signal.SIGKILL if under_way else number))
        under_way.add(task)

    for number in FORWARDED:
        loop.add_signal_handler(number, forward, number)
        stack.callback(loop.remove_signal_handler, number)
    return heard


@dataclass(slots=True)
class _Audience:
    """Shows what the nodes write: at once with their names, or kept until they have ended."""

    plan: Plan
    nodes: int
    _lines: dict[tuple[str, StreamName], Lines] = field(default_factory=dict)
    _kept: dict[tuple[str, StreamName], bytearray] = field(default_factory=dict)
    _truncated: set[str] = field(default_factory=set)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _ended: int = 0

    async def heard(self, node: str, stream: StreamName, data: bytes) -> None:
        """A node's command wrote that."""
        if self.plan.fold or self.plan.output.is_data:
            self._keep(node, stream, data)
            return
        lines = self._lines.get((node, stream))
        if lines is None:
            where = sys.stdout if stream == "stdout" else sys.stderr
            name = paint(f"{node}:", "cyan" if wants_colour(where) else "")
            lines = self._lines[node, stream] = Lines(f"{name} ".encode())
        await self._write(stream, lines.take(data))

    async def ended(self, run: NodeRun) -> None:
        """A node is through."""
        self._ended += 1
        for (node, stream), lines in self._lines.items():
            if node == run.node:
                await self._write(stream, lines.end())
        if self.plan.output.format is Format.JSONL:
            self.plan.output.write(Report(lines=(), results=[self._object(run)], named=()))
        elif self.plan.fold and wants_progress():
            sys.stderr.write(f"\r\x1b[K{self._ended} of {self.nodes} nodes")
            sys.stderr.flush()

    async def close(self, runs: Sequence[NodeRun]) -> None:
        """All nodes are through."""
        output = self.plan.output
        if self.plan.fold and wants_progress():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        if output.is_data and output.format is not Format.JSONL:
            objects = [self._object(run) for run in runs]
            names = [run.node for run in runs if not run.failed]
            output.write(Report(lines=(), results=objects, named=names))
        elif self.plan.fold and not output.is_data:
            for stream in DESCRIPTORS:
                outputs = {run.node: self._bytes(run.node, stream) for run in runs}
                colour = wants_colour(sys.stdout if stream == "stdout" else sys.stderr)
                await self._write(stream, folded_text(outputs, colour=colour))
        elif not output.is_data:
            started = [run.gpid for run in runs if run.error is None and run.exit_status is None]
            await self._write("stdout", "".join(f"{gpid}\n" for gpid in started).encode())

    def _keep(self, node: str, stream: StreamName, data: bytes) -> None:
        kept = self._kept.setdefault((node, stream), bytearray())
        room = KEPT_BYTES - len(kept)
        if len(data) > room:
            self._truncated.add(node)
        kept += data[:room]

    def _bytes(self, node: str, stream: StreamName) -> bytes:
        return bytes(self._kept.get((node, stream), b""))

    def _object(self, run: NodeRun) -> JsonObject:
        return run_object(
            run,
            status=_status(run),
            stdout=self._bytes(run.node, "stdout"),
            stderr=self._bytes(run.node, "stderr"),
            truncated=run.node in self._truncated,
        )

    async def _write(self, stream: StreamName, data: bytes) -> None:
        async with self._writing:  # what is long goes through threads
            await put(DESCRIPTORS[stream], data)
