"""Requests of the kernel that have no answer yet, and programs that were interrupted meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nodeagent.filesystem.fuse.requests import Header
from nodeagent.filesystem.mount.released import Released
from nodeagent.mechanism.loop import Loop
from nodeagent.mechanism.pendingsignals import is_killed
from ssi.protocol import filerequests
from ssi.protocol.filerequests import FileRequest
from ssi.transport.filelink import FileLink

LOOKED_AFTER_S: Final = 0.3
"""So often it is looked whether a program that was sent a signal is to end, as long as it waits.
One that handles the signal waits on: no local file fails with EINTR, and what was asked may be
done already."""


@dataclass(slots=True)
class _Asked:
    """What the server was asked for a request, by its number; 0 where it waits for another's."""

    number: int
    tid: int
    is_long: bool
    released: tuple[int, ...]
    life: int


class Waiting:
    """See the module.

    Args:
        loop: For what is given up a moment later.
        link: To the server.
        released: Told with requests, and told again where one of them was given up.
        tell: Asks the server for something whose outcome nobody waits for.
        gave_up: Told the kernel's number of a request that was given up.
    """

    def __init__(
        self,
        loop: Loop,
        link: FileLink,
        released: Released,
        tell: Callable[[FileRequest], None],
        gave_up: Callable[[int], None],
    ) -> None:
        self._loop = loop
        self._link = link
        self._released = released
        self._tell = tell
        self._gave_up = gave_up
        self._asked: dict[int, _Asked] = {}

    def __contains__(self, unique: int) -> bool:
        """Whether the kernel still wants an answer to it."""
        return unique in self._asked

    def __len__(self) -> int:
        """How many wait."""
        return len(self._asked)

    def add(
        self,
        header: Header,
        number: int = 0,
        *,
        is_long: bool = False,
        released: tuple[int, ...] = (),
        life: int = 0,
    ) -> None:
        """A request waits; one that ``is_long`` is cancelled as soon as it is interrupted."""
        self._asked[header.unique] = _Asked(number, header.pid, is_long, released, life)

    def end(self, unique: int) -> None:
        """It is about to be answered; harmless where it does not wait."""
        self._asked.pop(unique, None)

    def interrupt(self, unique: int) -> None:
        """Its program was sent a signal; of later ones the kernel does not tell."""
        asked = self._asked.get(unique)
        if asked is None:
            return
        if asked.is_long:  # what it is told is the server's word: it may have been granted just now
            self._tell(filerequests.Cancel(asked.number))
        self._loop.call_after(LOOKED_AFTER_S, lambda: self._look_after(unique))

    def _look_after(self, unique: int) -> None:
        asked = self._asked.get(unique)
        if asked is None:
            return
        if is_killed(asked.tid):
            self.give_up(unique)
        else:
            self._loop.call_after(LOOKED_AFTER_S, lambda: self._look_after(unique))

    def give_up(self, unique: int) -> None:
        """Nobody waits for it any more; harmless where nobody did."""
        asked = self._asked.pop(unique, None)
        if asked is None:
            return
        self._released.again(asked.released, asked.life)
        self._link.give_up(asked.number)
        self._gave_up(unique)
