"""The shell as the command line starts it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from importlib import import_module

from shell.language.invocation import parse_invocation
from shell.script import run_script
from ssi.model.errors import UsageError


def start_shell(words: Sequence[str]) -> int:
    """Runs the shell or a script, called as bash is; the exit status.

    Raises:
        UsageError: The words cannot be understood.
        SsiError: The agent of this machine does not answer.
    """
    how = parse_invocation(words)
    has_person = os.isatty(0) and os.isatty(1)
    if not (how.is_talk and has_person):
        if has_person and how.kind == "stdin" and not how.arguments:
            # A script would be read from the terminal, to its end and without a prompt.
            raise UsageError(
                text=f"{' '.join(how.options)}: the prompt takes no such option",
                hint="`set` and `shopt` at the prompt, or in ~/.config/ssi/rc; scripts take them",
            )
        run_script(how)
    return asyncio.run(_talk(how.node))


async def _talk(node: str) -> int:
    from shell.language.plan import JOB_BUILTINS, VERBS
    from shell.session.session import Session
    from ssi.client.connection import Connection
    from ssi.client.system import System

    # As every interactive shell: only what it runs is stopped by keys and by the terminal.
    for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    # The line editor takes a third of a second to import, and most of the rest is waiting.
    loading = asyncio.create_task(asyncio.to_thread(import_module, "shell.prompt.talk"))
    async with await Connection.open() as connection:
        session = await Session.open(System(connection), node)
        try:
            status: int = await (await loading).talk(session, VERBS | JOB_BUILTINS)
            return status
        finally:
            await session.close()
