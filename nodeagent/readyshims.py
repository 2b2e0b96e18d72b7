"""Shims of which brief jobs left nothing behind, for the next brief jobs of the same users.

See docs/adr/0031-a-shim-is-used-again.md.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from nodeagent.job import Job
from nodeagent.jobtable import remove_cgroup
from nodeagent.mechanism.mounts import MountWatch
from nodeagent.shim.keepermessages import ForkShim, ShimForked
from nodeagent.shim.messages import Ok, Release
from nodeagent.shimlink import ShimGone, ShimLink
from ssi.model.errors import SsiError

MOST_READY: Final = 8
"""Each holds some 4 MB. With more jobs at once than that, others have shims from the keeper."""

READY_S: Final = 1.0
"""How long one waits: so long, too, a keeper's spare may hold on to mounts that are gone."""

ORDER_TIMEOUT_S: Final = 10.0
RELEASE_TIMEOUT_S: Final = 5.0

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    user: str
    link: ShimLink
    mounts: int
    end: asyncio.TimerHandle


class ReadyShims:
    """Holds the only connection of each, without which it ends."""

    def __init__(self) -> None:
        self._watch = MountWatch()
        self._changes = 0
        self._ready: list[_Ready] = []

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._ready)

    def mounts(self) -> int:
        """The present state of the host's mounts; a shim that was made in another is not used."""
        if self._watch.has_changed():
            self._changes += 1
            self.drop()
        return self._changes

    async def lend(self, job: Job, order: ForkShim) -> bool:
        """Gives a job of the same user one that waits; False where none does, or takes the order.

        Raises:
            SsiError: One neither takes it nor ends.
        """
        mounts = self.mounts()
        while ready := self._take(job.row.user):
            try:
                forked = await ready.link.ask(order, ShimForked, ORDER_TIMEOUT_S)
            except ShimGone:  # it began nothing, or it would have said that it listens
                continue
            except SsiError:
                ready.link.close()
                raise
            ready.link.path = job.sockets / "shim.sock"
            job.shim_pid, job.link, job.mounts_seen = forked.pid, ready.link, ready.mounts
            return True
        job.mounts_seen = mounts
        return False

    async def release(self, job: Job, *, again: bool) -> None:
        """Lets go of the shim of a job that has ended, or keeps it.

        Args:
            job: It had one.
            again: Its shim may be kept, where that says that it is as new.

        Raises:
            SsiError: It holds on to the job.
        """
        link = job.link
        if link is None:
            return
        again = again and self._has_use_for(job, link)
        if (await link.ask(Release(again=again), Ok, RELEASE_TIMEOUT_S)).ready:
            self._keep(job, link)

    def drop(self) -> None:
        """Ends all that wait."""
        for ready in self._ready:
            ready.end.cancel()
            ready.link.close()
        self._ready.clear()

    def _has_use_for(self, job: Job, link: ShimLink) -> bool:
        return (
            len(self._ready) < MOST_READY
            and job.mounts_seen == self.mounts()
            and job.row.epoch == 1
            and link.is_idle
        )

    def _keep(self, job: Job, link: ShimLink) -> None:
        """Where meanwhile somebody asked it something else, it ends, as it would without us."""
        if not self._has_use_for(job, link) or not remove_cgroup(job):
            link.close()
            return
        job.link, job.shim_pid = None, 0
        link.part()
        end = asyncio.get_running_loop().call_later(READY_S, self._end_oldest)
        self._ready.append(_Ready(job.row.user, link, job.mounts_seen, end))

    def _take(self, user: str) -> _Ready | None:
        """The latest of that user's that lives: its memory is in the caches."""
        for ready in [each for each in reversed(self._ready) if each.user == user]:
            self._ready.remove(ready)
            ready.end.cancel()
            if not ready.link.gone.is_set():
                return ready
        return None

    def _end_oldest(self) -> None:
        """Its timer was the first of those that are left."""
        self._ready.pop(0).link.close()
