"""The agent's link to its keeper, which it starts again where that has gone.

Where systemd holds the keeper, that starts it again: one that the agent started would hold the
keeper's lock, so that systemd's would end at once, each time, until the unit counts as failed.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from nodeagent.mechanism.journal import is_of_systemd
from nodeagent.shim.keepermessages import ForkShim, ShimForked
from nodeagent.shimlink import ShimGone, ShimLink

_log = logging.getLogger(__name__)

KEEPER_START_S = 5.0
"""How long a keeper may take to listen, once it is started; systemd takes a second before."""

KEEPER_RETRY_S = 1.0
"""Between two looks for a keeper that did not come."""

FORK_TIMEOUT_S = 10.0


class KeeperLink:
    """Asks the keeper at ``path`` for shims; reading goes on in ``tasks``.

    Args:
        gone: Is called when it has ended.
    """

    def __init__(
        self, path: Path, tasks: asyncio.TaskGroup, gone: Callable[[], None] = lambda: None
    ) -> None:
        self._path = path
        self._tasks = tasks
        self._gone = gone
        self._link: ShimLink | None = None
        self._lock = asyncio.Lock()

    async def fork_shim(self, request: ForkShim) -> ShimForked:
        """A new shim; a keeper that died is replaced first.

        Raises:
            ShimGone: No keeper can be had.
            SsiError: It could not fork.
        """
        try:
            return await (await self._connected()).ask(request, ShimForked, FORK_TIMEOUT_S)
        except ShimGone:  # it died since it was last asked; the fork itself leaves nothing behind
            return await (await self._connected()).ask(request, ShimForked, FORK_TIMEOUT_S)

    async def watch(self) -> None:
        """Keeps a keeper running: without one, nobody would restart this agent."""
        while True:
            try:
                link = await self._connected()
            except ShimGone:  # it was told; a keeper that comes later is found the next time
                await asyncio.sleep(KEEPER_RETRY_S)
            else:
                await link.gone.wait()
                self._gone()

    async def _connected(self) -> ShimLink:
        async with self._lock:
            if self._link is None or self._link.gone.is_set():
                try:
                    self._link = await ShimLink.connect(self._path, self._tasks)
                except ShimGone:
                    action = "wait" if is_of_systemd() else "start"
                    _log.warning("event=keeper-gone action=%s", action)
                    if action == "start":
                        _start_keeper()
                    self._link = await self._await_keeper()
            return self._link

    async def _await_keeper(self) -> ShimLink:
        give_up_at_s = time.monotonic() + KEEPER_START_S
        while True:
            try:
                return await ShimLink.connect(self._path, self._tasks)
            except ShimGone:
                if time.monotonic() > give_up_at_s:
                    raise
                await asyncio.sleep(0.05)


def _start_keeper() -> None:
    """With this agent's own options: it is to restart this agent one day."""
    command = [sys.executable, "-m", "nodeagent.keeper", *sys.argv[1:]]
    subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
