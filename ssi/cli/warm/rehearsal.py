"""A command that is carried out for nobody, so that all it needs has been touched once.

What is made at the first use is then made, and in a fork every page that a command writes to is its
own already: Python writes to whatever it looks at, since it counts references there.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout, suppress
from io import StringIO
from typing import Final

import typer

# Private, but typer is held below the next version, and has no public name for it.
from typer._click.exceptions import ClickException

from ssi.cli.main import carry_out, tree
from ssi.cli.output import Output
from ssi.client.connection import Connection
from ssi.client.system import System
from ssi.model.process import ProcessRow
from ssi.protocol.codec import (
    decode_envelope,
    decode_request_body,
    encode_envelope,
    encode_reply_body,
)
from ssi.protocol.envelope import Reply, Request
from ssi.protocol.system import ListProcesses, ProcessList
from ssi.transport.frames import read_frame, write_frame
from ssi.view.columns import DEFAULT_COLUMNS, Moment, Placed
from ssi.view.nodes import node_listing
from ssi.view.processes import ProcessListing

ROWS: Final = 64
"""Enough that memory for the rows of a small system is there."""

FRAME_BYTES: Final = 1024 * 1024


LINES: Final = (["run", "-n", "node", "--", "true"], ["kill", "-TERM", "1"])
"""Command lines of other shapes, which are read and not carried out."""


def rehearse(is_enough: Callable[[], bool] = lambda: False) -> None:
    """Reads command lines, asks over a connection, and renders the answer; nobody sees it.

    Args:
        is_enough: Asked every few milliseconds, whether to leave off.
    """
    rows: list[ProcessRow] = []
    parts: tuple[Callable[[], object], ...] = (
        lambda: rows.extend(asyncio.run(_ask()).rows),
        _read_lines,
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


async def _ask() -> ProcessList:
    here, there = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=there)
    try:
        async with (
            asyncio.TaskGroup() as answering,
            Connection(*await asyncio.open_unix_connection(sock=here)) as connection,
        ):
            answering.create_task(_answer(reader, writer))
            return await System(connection).ask(ListProcesses(), ProcessList)
    finally:
        writer.close()


def _render(rows: Iterable[ProcessRow]) -> None:
    listing = ProcessListing(
        placed=[Placed("node", row, 1) for row in rows],
        columns=DEFAULT_COLUMNS,
        moment=Moment(now_s=time.time()),
    )
    output = Output()
    output.text(listing)
    output.text(node_listing([]))


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Stands in for an agent: the one question gets rows of the kind that agents send."""
    frame = await read_frame(reader, FRAME_BYTES)
    request = decode_envelope(frame) if frame is not None else None
    assert isinstance(request, Request)
    decode_request_body(request.body)
    rows = tuple(_row(number) for number in range(ROWS))
    reply = ProcessList(node="node", taken_at_s=0.0, rows=rows)
    write_frame(writer, encode_envelope(Reply(request.id, encode_reply_body(reply))))
    await writer.drain()


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
