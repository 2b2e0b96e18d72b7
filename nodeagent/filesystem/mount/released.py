"""Open files of the server that are not needed any more: told with the next request, or soon."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from nodeagent.filesystem.mount.handles import File
from nodeagent.mechanism.loop import Loop
from ssi.protocol.filerequests import Release

AT_ONCE: Final = 64
"""So many that were only read are told at the latest: nobody notices how soon."""

WITHIN_S: Final = 0.01
"""A file that was written may be in the way: while it is open it cannot be executed there."""


class Released:
    """See the module.

    Args:
        loop: For what is told by itself.
        tell: Asks for something whose outcome nobody waits for.
    """

    def __init__(self, loop: Loop, tell: Callable[[Release], None]) -> None:
        self.are_taken = False
        """Whether the server takes them with other requests."""
        self._loop = loop
        self._tell = tell
        self.lives = 0
        """How often the server has forgotten all: what was open before means nothing since."""
        self._handles: list[int] = []
        self._is_due = False

    def add(self, file: File) -> None:
        """Nobody here holds a file open any more."""
        if file.is_lost:
            return
        is_written = file.flags & os.O_ACCMODE != os.O_RDONLY
        if file.has_flock or file.lock_owners or (is_written and not self.are_taken):
            self._tell(Release(file.handle))
            return
        self._handles.append(file.handle)
        if len(self._handles) >= AT_ONCE:
            self.tell_all()
        elif is_written and not self._is_due:
            self._is_due = True
            self._loop.call_after(WITHIN_S, self._tell_late)

    def take(self) -> tuple[int, ...]:
        """Those to be told with a request that is about to be sent."""
        if not self._handles or not self.are_taken:
            return ()
        taken = tuple(self._handles)
        self._handles.clear()
        return taken

    def forget(self) -> None:
        """The server has forgotten them all."""
        self._handles.clear()
        self.lives += 1

    def again(self, handles: tuple[int, ...], life: int) -> None:
        """Whether the server has heard of these is not known; to be told twice does no harm."""
        if life == self.lives:
            self._handles.extend(handles)

    def _tell_late(self) -> None:
        self._is_due = False
        self.tell_all()

    def tell_all(self) -> None:
        """Tells them now, by themselves."""
        if self._handles:
            first, *others = self._handles
            self._handles.clear()
            self._tell(Release(first, tuple(others)))
