"""CRIU is loaded on both sides while the job still runs: it stands still for less."""

from __future__ import annotations

import logging
from typing import Final

from nodeagent.job import Job
from nodeagent.shim.messages import GetStatus, Ok, StandByToDump, StandByToRestore, Status
from ssi.model.errors import SsiError

TIMEOUT_S: Final = 20.0

_log: Final = logging.getLogger(__name__)


async def stand_by(job: Job, request: StandByToDump | StandByToRestore) -> None:
    """Asks the shim for it. Where that cannot be, or is an older one, CRIU is loaded later."""
    try:
        shim = job.shim()
        status = await shim.ask(GetStatus(), Status, TIMEOUT_S)
        if status.stands_by:
            await shim.ask(request, Ok, TIMEOUT_S)
    except SsiError as exc:
        _log.info("event=no-standby gpid=%d reason=%s", job.row.gpid, exc)
