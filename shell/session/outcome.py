"""How a piece of a line ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

INTERRUPTED: Final = 130
STOPPED: Final = 148
FAILED: Final = 255
"""What ssi could not do, as from ssh."""

OF_A_START: Final = frozenset({2, 125, 126, 127})
"""Statuses of what was not begun: a mistake in the line, a program that there is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """See the module.

    Attributes:
        status: ``$?``.
        statuses: ``PIPESTATUS``.
        gpids: Jobs that it started.
        ends_line: The rest of the line is not run: after ^C and ^Z, and where bash gives a line up.
    """

    status: int
    statuses: tuple[int, ...] = ()
    gpids: tuple[int, ...] = ()
    ends_line: bool = False

    def with_gpids(self, gpids: tuple[int, ...]) -> Outcome:
        """The same of a longer line."""
        return replace(self, gpids=gpids)

    def negated(self) -> Outcome:
        """As after ``!``."""
        return replace(self, status=0 if self.status else 1)


def of_statuses(statuses: tuple[int, ...], *, pipefail: bool) -> int:
    """``$?`` of a pipeline: that of its last stage; with ``pipefail`` of the last that failed."""
    if pipefail:
        return next((status for status in reversed(statuses) if status), 0)
    return statuses[-1]
