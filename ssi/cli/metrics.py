"""``ssi metrics``: how all nodes fare, for Prometheus; printed, or served at an address."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from typing import Annotated, Final

import typer

from ssi.cli.outcome import note, run_async
from ssi.cli.settings import settings
from ssi.client.connection import Connection
from ssi.client.listings import list_jobs
from ssi.client.system import System
from ssi.model.errors import SsiError, UsageError
from ssi.view.prometheus import CONTENT_TYPE, render

LOCAL: Final = "127.0.0.1"
ANSWER_S: Final = 8.0
"""Prometheus waits 10 s for a scrape, unless told otherwise."""

REQUEST_S: Final = 5.0
MOST_AT_ONCE: Final = 8
LARGEST_REQUEST_BYTES: Final = 16 * 1024

_ADDRESS: Final = re.compile(r"(?:(?P<host>[^\s\[\]:]+|\[[0-9A-Fa-f:.]+\]):)?(?P<port>\d{1,5})")


def metrics(
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            "-l",
            metavar="[ADDRESS:]PORT",
            help="Serve them there at /metrics until ^C; without an address on this machine only.",
        ),
    ] = "",
) -> None:
    """Show how all nodes fare in the text format of Prometheus, or serve it to Prometheus."""
    if not listen:
        run_async(_print)
    asyncio.run(_serve(*parse_address(listen)))


def parse_address(text: str) -> tuple[str, int]:
    """Where to listen.

    Raises:
        UsageError: It is no address.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 1 << 16:
        raise UsageError(text=f"--listen {text!r} is no address", hint="write 9464, or [::1]:9464")
    return (match["host"] or LOCAL).strip("[]"), int(match["port"])


async def _print(system: System) -> int:
    sys.stdout.write(await look(system))
    return 0


async def look(system: System) -> str:
    """What is known now; nodes that do not answer are in it with their state."""
    rows = (await system.nodes()).rows
    answers = await list_jobs(system, rows)
    return render(rows, [row for reply in answers.replies.values() for row in reply.rows])


async def _serve(host: str, port: int) -> None:
    """Serves until a signal ends it.

    Raises:
        UsageError: Nobody can listen there.
    """
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    slots = asyncio.Semaphore(MOST_AT_ONCE)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with slots, asyncio.timeout(REQUEST_S + ANSWER_S):
                writer.write(await answer(await reader.readuntil(b"\r\n\r\n")))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # whoever asked is gone, or is none that speaks HTTP
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(serve, host, port, limit=LARGEST_REQUEST_BYTES)
    except OSError as exc:
        raise UsageError(text=f"cannot listen at {host}:{port}: {exc.strerror or exc}") from exc
    async with server:
        note(f"metrics are at http://{f'[{host}]' if ':' in host else host}:{port}/metrics")
        await ended.wait()


async def answer(request: bytes) -> bytes:
    """The answer to an HTTP request: metrics, or why there are none."""
    method, _, rest = request.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if method not in {b"GET", b"HEAD"}:
        return _response("405 Method Not Allowed", "only GET is answered\n")
    if path != b"/metrics":
        return _response("404 Not Found", "the metrics are at /metrics\n")
    try:
        async with await Connection.open() as connection:
            text = await look(System(connection, timeout_s=settings().timeout_s or ANSWER_S / 2))
    except SsiError as exc:
        return _response("503 Service Unavailable", f"{exc.what()}\n")
    return _response("200 OK", text, head=method == b"HEAD")


def _response(status: str, text: str, *, head: bool = False) -> bytes:
    body = text.encode()
    kind = CONTENT_TYPE if status.startswith("200") else "text/plain; charset=utf-8"
    top = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return top.encode() + (b"" if head else body)
