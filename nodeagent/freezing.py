"""Holding jobs by the cgroup freezer: unlike a signal, they cannot notice it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

import msgspec

from nodeagent.job import Job
from nodeagent.mechanism import cgroup, vfork
from ssi.model.freezing import CannotFreeze

_log = logging.getLogger(__name__)

SETTLE_S: Final = 2.0
"""A process in an uninterruptible call freezes once that returns; longer is not waited for it."""

_POLL_S: Final = 0.005


async def hold_job(job: Job) -> None:
    """Freezes all of a job, and returns once no process of it runs any more.

    None of them is left in the midst of starting a program, if it can be helped: such a job could
    not be dumped (:mod:`~nodeagent.mechanism.vfork`). It goes on for a moment and is frozen again.

    Raises:
        CannotFreeze: It is in no cgroup that can be frozen, or a process of it does not stop.
    """
    directory = freeze_job(job)
    give_up_at_s = time.monotonic() + SETTLE_S
    while not (settled := cgroup.has_settled(directory)) or is_starting(directory):
        if time.monotonic() > give_up_at_s:
            if settled:
                return
            thaw_job(job)
            reason = f"a process of it did not stop within {SETTLE_S:.0f} s"
            raise CannotFreeze(gpid=job.row.gpid, node=job.row.node, reason=reason)
        if settled:
            thaw_job(job)
        await asyncio.sleep(_POLL_S)
        if settled:
            freeze_job(job)


def is_starting(directory: str) -> bool:
    """Whether a process in a frozen cgroup waits for another one there to begin its program."""
    return bool(vfork.waiting(cgroup.processes(directory)))


def freeze_job(job: Job) -> str:
    """Freezes all of a job; the directory of its cgroup.

    Raises:
        CannotFreeze: It is in no cgroup that can be frozen.
    """
    gpid, node = job.row.gpid, job.row.node
    directory = cgroup.make_for_job(gpid)
    if not directory or not cgroup.processes(directory):
        raise CannotFreeze(gpid=gpid, node=node, reason="it has no cgroup of its own there")
    try:
        cgroup.freeze(directory)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise CannotFreeze(gpid=gpid, node=node, reason=reason) from exc
    return directory


def thaw_job(job: Job) -> None:
    """Undoes :func:`freeze_job`; nothing where the job is not frozen."""
    directory = cgroup.make_for_job(job.row.gpid)
    if directory and cgroup.is_frozen(directory):
        cgroup.thaw(directory)


def make_answer(job: Job) -> None:
    """Thaws a frozen job that CRIU could not dump as it is: one that a freezer of version 1 holds.

    It is frozen again on arrival, after some 10 ms in which it may have run.
    """
    directory = cgroup.make_for_job(job.row.gpid)
    if job.row.frozen and not cgroup.is_unified(directory):
        thaw_job(job)


def refreeze(job: Job) -> None:
    """Freezes a job again that was frozen before a move; else it runs on."""
    if not job.row.frozen:
        return
    try:
        freeze_job(job)
    except CannotFreeze as exc:
        _log.warning("event=not-frozen gpid=%d reason=%s", job.row.gpid, exc.reason)
        job.row = msgspec.structs.replace(job.row, frozen=False)
        job.become(job.row.state)
