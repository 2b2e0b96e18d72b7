"""A command that is carried out for nobody, so that all it needs has been touched once.

What is made at the first use is then made, and in a fork every page that a command writes to is its
own already: Python writes to whatever it looks at, since it counts references there.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import redirect_stdout, suppress
from io import StringIO
from typing import Any, Final, TypeVar

import typer

# Private, but typer is held below the next version, and has no public name for it.
from typer._click.exceptions import ClickException

from ssi.cli.foreground import exit_status_of
from ssi.cli.main import carry_out, tree
from ssi.cli.output import Output
from ssi.client.attachment import attach
from ssi.client.connection import Connection
from ssi.client.jobs import BRIEF_MS, JobHandle
from ssi.client.system import System
from ssi.model.job import JobRow, JobSpec, JobState
from ssi.model.jobfiles import JobFiles, default_binds
from ssi.model.node import NodeRow, NodeState
from ssi.model.process import ProcessRow
from ssi.protocol.clients import ServeFiles
from ssi.protocol.codec import (
    decode_envelope,
    decode_request_body,
    encode_envelope,
    encode_reply_body,
)
from ssi.protocol.envelope import Reply, Request
from ssi.protocol.jobs import JobReply, StartJob
from ssi.protocol.message import Done, ReplyMessage, RequestMessage
from ssi.protocol.system import ListNodes, ListProcesses, NodeList, ProcessList
from ssi.transport.frames import read_frame, write_frame
from ssi.view.columns import DEFAULT_COLUMNS, Moment, Placed
from ssi.view.nodes import node_listing
from ssi.view.processes import ProcessListing

ROWS: Final = 64
"""Enough that memory for the rows of a small system is there."""

FRAME_BYTES: Final = 1024 * 1024

NODE: Final = "node"

ResultT = TypeVar("ResultT")

LINES: Final = (["run", "-n", NODE, "--", "true"], ["kill", "-TERM", "1"])
"""Command lines of other shapes, which are read and not carried out."""


def rehearse(is_enough: Callable[[], bool] = lambda: False) -> None:
    """Reads command lines, asks over a connection, and renders the answer; nobody sees it.

    Args:
        is_enough: Asked every few milliseconds, whether to leave off.
    """
    rows: list[ProcessRow] = []
    parts: tuple[Callable[[], object], ...] = (
        lambda: rows.extend(asyncio.run(_asked(_list)).rows),
        _read_lines,
        lambda: asyncio.run(_asked(_run)),
        _read_for_help,
        lambda: _render(rows),
    )
    for part in parts:
        if is_enough():
            return
        part()


def _read_lines() -> None:
    for name, *words in LINES:
        with suppress(ClickException):  # an installation may have another command of that name
            tree().get_command(None, name).make_context(name, words)


def _read_for_help() -> None:
    with redirect_stdout(StringIO()), suppress(typer.Exit):
        carry_out(tree(), ["ps", "--help"])


async def _asked(ask: Callable[[System], Coroutine[Any, Any, ResultT]]) -> ResultT:
    here, there = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=there)
    try:
        async with (
            asyncio.TaskGroup() as answering,
            Connection(*await asyncio.open_unix_connection(sock=here)) as connection,
        ):
            answering.create_task(_answer_all(reader, writer))
            return await ask(System(connection))
    finally:
        writer.close()


async def _list(system: System) -> ProcessList:
    return await system.ask(ListProcesses(), ProcessList)


async def _run(system: System) -> int:
    """A job that is over as soon as it begins, from its node's name to its status.

    Its files are asked for without a look at any directory of the user's: one may hang.
    """
    node = await system.select_one(NODE)
    binds = default_binds(await system.home(), "/home/nobody", "")
    files = JobFiles(home=NODE, home_directory="/home/nobody", is_whole=False, binds=binds)
    await system.ask(ServeFiles(paths=files.paths_of(NODE)), Done)
    spec = JobSpec(argv=("true",), cwd="/", environment={}, files=files)
    job = await JobHandle.start(system, node, spec, wait_ms=BRIEF_MS, no_input=True)
    row = await attach(job, stdin=None)
    job.release_later()
    return exit_status_of(row)


def _render(rows: Iterable[ProcessRow]) -> None:
    listing = ProcessListing(
        placed=[Placed("node", row, 1) for row in rows],
        columns=DEFAULT_COLUMNS,
        moment=Moment(now_s=time.time()),
    )
    output = Output()
    output.text(listing)
    output.text(node_listing([]))


async def _answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Stands in for an agent until nobody asks it any more."""
    while (frame := await read_frame(reader, FRAME_BYTES)) is not None:
        request = decode_envelope(frame)
        assert isinstance(request, Request)
        answer = encode_reply_body(_answer(decode_request_body(request.body)))
        write_frame(writer, encode_envelope(Reply(request.id, answer)))
        await writer.drain()


def _answer(body: RequestMessage) -> ReplyMessage:
    """What an agent might say."""
    match body:
        case ListProcesses():
            rows = tuple(_row(number) for number in range(ROWS))
            return ProcessList(node=NODE, taken_at_s=0.0, rows=rows)
        case ListNodes():
            row = NodeRow(name=NODE, number=1, address="", state=NodeState.ALIVE, age_s=0.0)
            return NodeList(observer=NODE, rows=(row,))
        case StartJob():
            job = JobRow(
                gpid=1,
                node=NODE,
                user="nobody",
                argv=body.spec.argv,
                cwd=body.spec.cwd,
                state=JobState.EXITED,
                start_ms=0,
                exit_status=0,
                files=body.spec.files,
            )
            return JobReply(row=job, no_input=body.no_input, output=(b"", b""))
        case _:
            return Done()


def _row(number: int) -> ProcessRow:
    return ProcessRow(
        gpid=number,
        pid=number,
        parent_gpid=0,
        start_ms=number,
        started_at_s=60.0 * number,
        user="nobody",
        state="S",
        nice=0,
        threads=1,
        tty="?",
        cpu_s=0.0,
        cpu_percent=0.0,
        rss_bytes=0,
        vsize_bytes=0,
        name="rehearsal",
        command=("rehearsal", str(number)),
    )
