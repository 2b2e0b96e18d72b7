"""A session of the shell without its line editor: lines come by a pipe, and each end is told.

``python -m tests.hosts.shelldriver NODE FD`` on a terminal. Keys are the programs' alone: no test
has to guess whether a prompt or a program reads them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack

from shell.session.session import Session, ShellLeft
from ssi.client.attachment import read_some
from ssi.client.connection import Connection
from ssi.client.hearing import hearing, nothing
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.view.complaints import error_line


async def main(node: str, lines: int) -> None:
    """Runs lines, each ended by a NUL, until there are no more."""
    async with await Connection.open() as connection, AsyncExitStack() as stack:
        stack.enter_context(hearing((signal.SIGINT,), nothing))  # as at a prompt
        session = await Session.open(System(connection), node)
        tell("0", "", node)
        held = b""
        while b"\0" in held or (more := await read_some(lines)):
            held += b"" if b"\0" in held else more
            if b"\0" not in held:
                continue
            line, _, held = held.partition(b"\0")
            try:
                await session.run(line.decode("utf-8", "surrogateescape"))
            except ShellLeft as left:
                tell(f"left {left.status}", "", session.where.node)
                break
            except SsiError as error:
                print(f"ssi: {error_line(error)}", flush=True)
            for notice in await session.notices():
                print(notice, flush=True)
            assert session.last is not None
            statuses = " ".join(map(str, session.last.statuses))
            tell(str(session.last.status), statuses, session.where.node)
        await session.close()


def tell(status: str, statuses: str, node: str) -> None:
    """Says how a line ended, in a form that no program prints."""
    os.write(1, f"\n\x1e{status}|{statuses}|{node}\x1f".encode())


if __name__ == "__main__":
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # as every interactive shell
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
