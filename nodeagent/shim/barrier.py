"""Where a restored job waits until it may run: CRIU asks at each stage whether to go on."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nodeagent.mechanism import cgroup, criurpc
from nodeagent.mechanism.crimage import BadImage
from nodeagent.mechanism.loop import Loop

_log: Final = logging.getLogger(__name__)


class Barrier:
    """Made before CRIU starts.

    Args:
        images: From which it restores.
        reached: Called once the restored job stands there.
        freezer: Directory of the cgroup (version 2) in which the job is to be frozen before its
            next instruction; empty: none.
        criu_pid: Which process that is by now.
    """

    def __init__(
        self,
        loop: Loop,
        images: Path,
        reached: Callable[[], None],
        *,
        freezer: str,
        criu_pid: Callable[[], int],
    ) -> None:
        """The request lies in the socket when CRIU looks.

        Raises:
            OSError: There are no more descriptors.
        """
        self._loop = loop
        self._reached = reached
        self._freezer = freezer
        self._criu_pid = criu_pid
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self._ours.send(criurpc.restore_request(str(images)))
        loop.watch(self._ours.fileno(), readable=self._hear)

    @property
    def descriptor(self) -> int:
        """That CRIU inherits."""
        return self._theirs.fileno()

    def let_go(self) -> None:
        """The job runs."""
        self._answer(go_on=True)

    def refuse(self) -> None:
        """The job does not run: CRIU kills what it has restored, and fails."""
        self._answer(go_on=False)

    def remove(self) -> None:
        """Nothing is left of it."""
        self._loop.watch(self._ours.fileno())
        self._ours.close()
        self._theirs.close()

    def _hear(self) -> None:
        try:
            stage = criurpc.stage_of(self._ours.recv(criurpc.MAX_BYTES))
        except BlockingIOError:
            return
        except BadImage as exc:
            _log.error("event=criu-not-understood reason=%s", exc)
            self.refuse()
            return
        if stage == criurpc.POST_RESTORE:
            self._reached()
        elif stage:
            self._answer(go_on=stage != criurpc.PRE_RESUME or self._froze())

    def _froze(self) -> bool:
        """Whether the job is frozen, where it is to be: CRIU, which restored it there, leaves."""
        if not self._freezer:
            return True
        try:
            (Path(self._freezer).parent / "cgroup.procs").write_text(str(self._criu_pid()))
            cgroup.freeze(self._freezer)
        except OSError as exc:
            _log.error("event=not-frozen path=%s reason=%s", self._freezer, exc)
            return False
        return True

    def _answer(self, *, go_on: bool) -> None:
        self._ours.send(criurpc.answer(go_on=go_on))  # both ends are ours as well: never refused
