"""Waiting until a signal has stopped processes, also those that had just begun to start another."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from nodeagent.mechanism import signals, vfork

_log = logging.getLogger(__name__)

STOP_LIMIT_S: Final = 1.0
"""A thread in an uninterruptible call stops once that returns; longer is not waited for it."""

_POLL_S: Final = 0.002


async def until_stopped(pids: Iterable[int]) -> None:
    """Returns once no thread of these processes runs any more, or after :data:`STOP_LIMIT_S`.

    A parent in vfork(2) stops once its child has begun its program. A child that was stopped before
    it could is let go on for a moment, and stopped again.

    Args:
        pids: Processes to which SIGSTOP was sent; no other is touched.
    """
    meant = frozenset(pids)
    give_up_at_s = time.monotonic() + STOP_LIMIT_S
    while running := [pid for pid in meant if not signals.has_stopped(pid)]:
        if time.monotonic() > give_up_at_s:
            _log.warning("event=stop-pending pids=%s", sorted(running))
            return
        children = meant & {each.child for each in vfork.waiting(running)}
        held = [pid for pid in children if signals.has_stopped(pid)]
        _send(held, signal.SIGCONT)
        try:
            await asyncio.sleep(_POLL_S)
        finally:
            _send(held, signal.SIGSTOP)


def _send(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            signals.send(pid, number)
