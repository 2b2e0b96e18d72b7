"""How far the input of each of a job's writers was taken, so that a repeated write does no harm.

Every viewer numbers its own bytes from 0 under an id of its own: what two people type at once is
neither mixed up nor dropped. Pure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, TypeVar

BytesT = TypeVar("BytesT", bytes, memoryview)

MOST_WRITERS: Final = 64
"""Of more, the one that has been silent for longest is forgotten."""

ONLY_WRITER: Final = b""
"""A client that gives no id; it counts from the first byte of the job's input."""


class Writers:
    """The number of the next byte of each writer."""

    def __init__(self) -> None:
        self._taken: OrderedDict[bytes, int] = OrderedDict()

    def taken(self, writer: bytes, offset: int) -> int:
        """Up to where a writer that is at ``offset`` now was taken.

        A writer that is not known begins where it says: its first bytes went to a job elsewhere,
        or it was forgotten.
        """
        return self._taken.get(writer, 0 if writer == ONLY_WRITER else offset)

    def fresh(self, writer: bytes, offset: int, data: BytesT, room: int) -> BytesT:
        """Takes what is new in bytes from ``offset`` on, ``room`` of them at most.

        Bytes that were taken before are skipped, and bytes beyond a gap are not taken: the caller
        sees by :meth:`taken` where to go on.
        """
        taken = self.taken(writer, offset)
        skipped = taken - offset
        if skipped < 0:
            return data[:0]
        fresh = data[skipped : skipped + room]
        self._taken[writer] = taken + len(fresh)
        self._taken.move_to_end(writer)
        if len(self._taken) > MOST_WRITERS:
            self._taken.popitem(last=False)
        return fresh

    def snapshot(self) -> tuple[tuple[bytes, int], ...]:
        """All of them, the one that was silent for longest first."""
        return tuple(self._taken.items())

    def recall(self, snapshot: Iterable[tuple[bytes, int]]) -> None:
        """Becomes what it was on another node."""
        self._taken = OrderedDict(snapshot)
