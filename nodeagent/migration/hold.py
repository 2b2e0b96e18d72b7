"""Named points of a move at which a test may hold it, so that a fault strikes at a known step.

Inert unless the agent was started with ``SSI_HOLD_DIR`` in its environment, which no deployment
does. With it, a file ``GPID.POINT`` in that directory holds the move of that job at that point: it
is renamed to ``GPID.POINT.held``, and the move goes on once that is removed, or after
:data:`LONGEST_HOLD_S`.
"""

from __future__ import annotations

import asyncio
import os
from enum import StrEnum
from pathlib import Path
from typing import Final

LONGEST_HOLD_S: Final = 60.0
"""A test that died must not hold a job for ever."""

_POLL_S: Final = 0.02
_DIRECTORY: Final = os.environ.get("SSI_HOLD_DIR", "")


class Point(StrEnum):
    """A point, by the side that passes it and by what comes next there."""

    SOURCE_PREFLIGHT = "source-preflight"
    SOURCE_CARRY = "source-carry"
    SOURCE_AHEAD = "source-ahead"
    SOURCE_DUMP = "source-dump"
    SOURCE_TRANSFER = "source-transfer"
    SOURCE_RESTORE = "source-restore"
    SOURCE_COMMIT = "source-commit"
    SOURCE_RESUME = "source-resume"
    SOURCE_LET_GO = "source-let-go"
    SOURCE_ABANDON = "source-abandon"
    DESTINATION_PREPARE = "destination-prepare"
    DESTINATION_RESTORE = "destination-restore"
    DESTINATION_READY = "destination-ready"
    DESTINATION_RESUME = "destination-resume"
    DESTINATION_RUNS = "destination-runs"
    DESTINATION_DROP = "destination-drop"


async def reach(point: Point, gpid: int) -> None:
    """Goes on at once, or waits where a test holds the job at this point."""
    if not _DIRECTORY:
        return
    asked = Path(_DIRECTORY, f"{gpid}.{point}")
    held = asked.with_name(f"{asked.name}.held")
    try:
        asked.rename(held)
    except FileNotFoundError:
        return
    loop = asyncio.get_running_loop()
    give_up_at_s = loop.time() + LONGEST_HOLD_S
    while held.exists() and loop.time() < give_up_at_s:  # noqa: ASYNC110 - a file has no event
        await asyncio.sleep(_POLL_S)
