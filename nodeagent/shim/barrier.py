"""Where a restored job waits until it may run: two fifos between the shim and CRIU's script."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from nodeagent.mechanism import criu
from nodeagent.mechanism.loop import Loop


class Barrier:
    """Made before CRIU starts.

    Attributes:
        script: Path of the script as CRIU, a process of our pid namespace, finds it. It lies in
            memory, because a runtime directory is often mounted ``noexec``.
    """

    def __init__(self, loop: Loop, work: Path, *, real_ids: bool, freezer: str) -> None:
        """Makes the fifos in ``work``, and the script; for both flags see :mod:`criu`.

        Raises:
            OSError: They cannot be made.
        """
        self._script = os.memfd_create("barrier")
        os.write(self._script, criu.barrier_script(real_ids=real_ids, freezer=freezer).encode())
        os.fchmod(self._script, 0o700)
        self.script = f"/proc/{os.getpid()}/fd/{self._script}"
        self._loop = loop
        self._paths = (work / criu.BARRIER_OUT, work / criu.BARRIER_IN)
        for path in self._paths:
            path.unlink(missing_ok=True)
            os.mkfifo(path, 0o600)
        # Both directions: an open for one alone would wait for the script, or fail without it.
        self._out, self._in = (os.open(path, os.O_RDWR | os.O_NONBLOCK) for path in self._paths)

    def when_reached(self, callback: Callable[[], None]) -> None:
        """Calls ``callback`` once the restored job stands there."""

        def reached() -> None:
            self._loop.watch(self._out)
            callback()

        self._loop.watch(self._out, readable=reached)

    def let_go(self) -> None:
        """The job runs."""
        os.write(self._in, criu.BARRIER_LET_GO)

    def refuse(self) -> None:
        """The job does not run: CRIU kills what it has restored, and fails."""
        os.write(self._in, criu.BARRIER_REFUSE)

    def remove(self) -> None:
        """Nothing is left of it."""
        self._loop.watch(self._out)
        os.close(self._out)
        os.close(self._in)
        os.close(self._script)
        for path in self._paths:
            path.unlink(missing_ok=True)
