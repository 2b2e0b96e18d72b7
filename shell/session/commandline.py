"""Commands of ``ssi`` as builtins: the same command line, run from here."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Sequence

from shell.session.outcome import Outcome


def command() -> list[str]:
    """The words that start ``ssi``: the warm command where it is, else this very installation."""
    found = shutil.which("ssi")
    if found and "SSI_COLD" not in os.environ:
        return [found]
    start = "import sys;sys.path[:]=sys.argv.pop(1).split(':');import ssi.cli.__main__"
    return [sys.executable, "-c", start, ":".join(sys.path)]


async def run_verb(words: Sequence[str]) -> Outcome:
    """Runs a command of ``ssi`` at this terminal; ^C is the command's alone."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        child = await asyncio.create_subprocess_exec(*command(), *words)
        status = await child.wait()
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    status = status if status >= 0 else 128 - status
    return Outcome(status=status, statuses=(status,))
