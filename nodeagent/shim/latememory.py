"""Memory that comes to a restored job while it runs already: CRIU's daemon for it, and its guard.

When that daemon ends before its time the kernel would let the job read zeros where its memory
should be. So the shim holds on to the same userfaultfds: a thread that touches what has not come
waits, and the job is killed.

The daemon closes that of a process once it has all its memory, while it still serves others. Ours
must be gone by then. Else the kernel tells the daemon, through its epoll(7), of events of what it
has freed, and it waits for ever for one that nobody takes. (Measured: of moves of a shell that
forks one in ten ended so.) So it asks before it closes a descriptor.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nodeagent.mechanism import criu, libc
from nodeagent.mechanism.loop import Loop
from nodeagent.shim.imager import Imager, Run
from ssi.model.shim import RestoreFailed

LIMIT_S: Final = 24 * 3600.0
"""A day: 10 GiB at 1 Mbit/s."""

START_LIMIT_S: Final = 10.0
_POLL_S: Final = 0.002
_USERFAULT: Final = "anon_inode:[userfaultfd]"
_log: Final = logging.getLogger(__name__)


class LateMemory:
    """One job's.

    Args:
        loop: Of the shim.
        work: Directory of the restore.
        ended: Called once all has come, with None, or with why it will not.
    """

    def __init__(self, loop: Loop, work: Path, ended: Callable[[str | None], None]) -> None:
        self._loop = loop
        self._work = work
        self._ended = ended
        self._imager = Imager(loop, work / "lazy")
        self._guards: dict[int, int] = {}  # the daemon's numbers, and ours

    def start(self, program: str, images: Path, pages: str, ready: Callable[[], None]) -> None:
        """Starts the daemon; ``ready`` is called when a restore can be started.

        Raises:
            RestoreFailed: Nobody serves memory there.
        """
        found = self._work / criu.LAZY_SOCKET
        found.unlink(missing_ok=True)
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(pages)
                arguments = criu.lazy_pages_arguments(
                    program, str(images), str(self._work), server.fileno()
                )
                run = Run(
                    arguments=arguments,
                    log="",
                    inherited=(server.fileno(),),
                    limit_s=LIMIT_S,
                    closing=self._let_go,
                )
                self._imager.start(run, self._daemon_ended)
        except OSError as exc:
            raise RestoreFailed(reason=f"its memory cannot be had: {exc.strerror}") from exc
        self._await(found, ready, int(START_LIMIT_S / _POLL_S))

    def guard(self) -> None:
        """From now on the end of the daemon lets nothing read zeros.

        Raises:
            OSError: The kernel does not allow it.
        """
        if not self._imager.is_asked:
            _log.warning("event=memory-not-guarded reason='the kernel does not let it ask'")
            return
        listed = Path(f"/proc/{self._imager.pid}/fd")
        for entry in listed.iterdir():
            if str(entry.readlink()) == _USERFAULT:
                number = int(entry.name)
                self._guards[number] = libc.descriptor_of(self._imager.pid, number)
        _log.info("event=memory-guarded processes=%d", len(self._guards))

    def _await(self, found: Path, ready: Callable[[], None], rounds: int) -> None:
        if found.exists():
            ready()
        elif rounds and self._imager.pid:
            self._loop.call_after(_POLL_S, lambda: self._await(found, ready, rounds - 1))
        elif self._imager.pid:
            self._imager.kill()

    def _daemon_ended(self, failure: str | None) -> None:
        self._ended(failure)
        self._release()

    def _let_go(self, number: int) -> None:
        """The daemon is about to close a descriptor."""
        guard = self._guards.pop(number, None)
        if guard is not None:
            os.close(guard)

    def _release(self) -> None:
        for number in [*self._guards]:
            self._let_go(number)
