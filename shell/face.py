"""The shell as the command line starts it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from shell.language.invocation import parse_invocation
from shell.script import run_script
from shell.session.session import Session, ShellLeft
from ssi.client.connection import Connection
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.view.complaints import error_line


def start_shell(words: Sequence[str]) -> int:
    """Runs the shell or a script, called as bash is; the exit status.

    Raises:
        UsageError: The words cannot be understood.
        SsiError: The agent of this machine does not answer.
    """
    how = parse_invocation(words)
    asks = how.kind == "stdin" and not how.options and not how.arguments
    if not (asks and os.isatty(0) and os.isatty(1)):
        run_script(how)
    return asyncio.run(_talk(how.node))


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
