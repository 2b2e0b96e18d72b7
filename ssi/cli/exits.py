"""Exit statuses, as scripts know them from ssh(1), docker-run(1) and timeout(1).

A command that runs a program for somebody returns that program's own status, and 128 + N where
signal N ended it; what went wrong on the way there has statuses that programs rarely use. Any other
command returns 0, or the exit code of its error (``docs/errors.md``). Of several nodes or jobs the
highest counts.

What ^C ended dies of SIGINT, also where that went on to a program elsewhere, which died of it: bash
ends loops, functions and scripts where a program dies so, and goes on where one returns 130. Until
the end of the process such a status is negative, as :mod:`subprocess` has it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import Final

from ssi.client.errors import RanTooLong
from ssi.model.errors import SsiError

USAGE: Final = 2
TIMED_OUT: Final = 124
"""As timeout(1): the time that ``--timeout`` gave is over."""

NOT_STARTED: Final = 125
NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127
INTERRUPTED: Final = -signal.SIGINT
SSI_FAILED: Final = 255
"""ssi itself or what it goes through failed, and not the program that it ran."""

OF_A_START: Final = frozenset({USAGE, NOT_STARTED, NOT_EXECUTABLE, NOT_FOUND})


def of_running(error: SsiError) -> int:
    """The status where a program was to be run, or waited for, and ssi failed."""
    if isinstance(error, RanTooLong):
        return TIMED_OUT
    return error.exit_code if error.exit_code in OF_A_START else SSI_FAILED


def highest(statuses: Iterable[int]) -> int:
    """The status of many: the highest; 0 of none."""
    return max(statuses, default=0)
