"""Commands of ``ssi`` as builtins: the same command line, run from here."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

from shell.session.outcome import INTERRUPTED, Outcome
from ssi.client.hearing import hearing, nothing
from ssi.client.ownwords import own_words


async def run_verb(words: Sequence[str]) -> Outcome:
    """Runs a command of ``ssi`` at this terminal; ^C is the command's alone."""
    with hearing((signal.SIGINT, signal.SIGQUIT), nothing):
        child = await asyncio.create_subprocess_exec(*own_words(), *words)
        code = await child.wait()
    status = code if code >= 0 else 128 - code
    return Outcome(status=status, statuses=(status,), ends_line=status == INTERRUPTED)
