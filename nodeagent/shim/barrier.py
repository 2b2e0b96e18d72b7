"""Where a restored job waits until it may run: CRIU asks at each stage whether to go on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nodeagent.mechanism import cgroup, criurpc
from nodeagent.mechanism.criurpc import Told
from nodeagent.shim.worker import Worker

_log: Final = logging.getLogger(__name__)


class Barrier:
    """One restore's.

    Args:
        worker: The CRIU that restores.
        reached: Called once the restored job stands there.
        freezer: Directory of the cgroup (version 2) in which the job is to be frozen before its
            next instruction; empty: none.
    """

    def __init__(self, worker: Worker, reached: Callable[[], None], *, freezer: str) -> None:
        self._worker = worker
        self._reached = reached
        self._freezer = freezer

    def let_go(self) -> None:
        """The job runs."""
        self._worker.answer(go_on=True)

    def refuse(self) -> None:
        """The job does not run: CRIU kills what it has restored, and fails."""
        self._worker.answer(go_on=False)

    def hear(self, told: Told) -> None:
        """Takes what CRIU says."""
        if told.stage == criurpc.POST_RESTORE:
            self._reached()
        elif told.stage:
            go_on = told.stage != criurpc.PRE_RESUME or self._froze()
            self._worker.answer(go_on=go_on)

    def _froze(self) -> bool:
        """Whether the job is frozen, where it is to be: CRIU, which restored it there, leaves."""
        if not self._freezer:
            return True
        try:
            (Path(self._freezer).parent / "cgroup.procs").write_text(str(self._worker.pid))
            cgroup.freeze(self._freezer)
        except OSError as exc:
            _log.error("event=not-frozen path=%s reason=%s", self._freezer, exc)
            return False
        return True
