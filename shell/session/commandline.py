"""Commands of ``ssi`` as builtins: the same command line, run from here."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

from shell.session.outcome import Outcome
from ssi.client.ownwords import own_words


async def run_verb(words: Sequence[str]) -> Outcome:
    """Runs a command of ``ssi`` at this terminal; ^C is the command's alone."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        child = await asyncio.create_subprocess_exec(*own_words(), *words)
        status = await child.wait()
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    status = status if status >= 0 else 128 - status
    return Outcome(status=status, statuses=(status,))
