"""The shell as the command line starts it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from shell.session.session import Session, ShellLeft
from ssi.client.connection import Connection
from ssi.client.system import System
from ssi.model.errors import SsiError, UsageError
from ssi.view.complaints import error_line


def start_shell(words: Sequence[str]) -> int:
    """Runs the shell or a script, called as bash is; the exit status.

    Raises:
        UsageError: The words cannot be understood.
        SsiError: The agent of this machine does not answer.
    """
    node = ""
    if words and words[0].startswith("--node"):
        first, *rest = words[0].split("=", 1) if "=" in words[0] else words[:2]
        if not rest:
            raise UsageError(text=f"{first} needs the name of a node", hint="ssi --node n2")
        node = rest[0]
        words = words[1 if "=" in words[0] else 2 :]
    if not words and os.isatty(0) and os.isatty(1):
        return asyncio.run(_talk(node))
    raise UsageError(text="scripts are not here yet", hint="start `ssi` on a terminal")


async def _talk(node: str) -> int:
    async with await Connection.open() as connection:
        session = await Session.open(System(connection), node)
        try:
            return await _read_lines(session)
        finally:
            await session.close()


async def _read_lines(session: Session) -> int:
    while True:
        for text in await session.notices():
            print(text, file=sys.stderr)
        try:
            where = session.where
            line = await asyncio.to_thread(input, f"{where.user}@{where.node}:{where.cwd}$ ")
            await session.run(line)
        except EOFError:
            return session.last.status if session.last else 0
        except ShellLeft as left:
            return left.status
        except SsiError as error:
            print(f"ssi: {error_line(error)}", file=sys.stderr)
