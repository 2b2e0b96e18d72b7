"""Remembers when each row of the process table changed last, so that viewers are told only that."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from operator import attrgetter
from typing import Final, NamedTuple

from ssi.model.process import ProcessRow

GONE_KEPT: Final = 20_000
"""Ends of processes that are remembered; a viewer who was away for longer is told everything."""

_AGEING: Final = {"cpu_percent", "started_at_s"}
"""What differs in every scan although nothing happened: it is made of the time of day."""

_contents = attrgetter(*(name for name in ProcessRow.__struct_fields__ if name not in _AGEING))


class Change(NamedTuple):
    """What a viewer has to be told.

    Attributes:
        whole: The rows are all that there are.
    """

    version: int
    whole: bool
    rows: list[ProcessRow]
    gone: list[int]


class TableLog:
    """The table as it was scanned last, with a version for each row.

    Attributes:
        name: Of this log; another run of the agent has another.
    """

    def __init__(self, name: bytes | None = None) -> None:
        self.name = name or os.urandom(8)
        self._version = 0
        self._rows: dict[int, tuple[int, ProcessRow]] = {}
        self._gone: deque[tuple[int, int]] = deque(maxlen=GONE_KEPT)
        self._forgotten = 0

    def observe(self, rows: Iterable[ProcessRow]) -> None:
        """Takes a scan in."""
        self._version += 1
        before, self._rows = self._rows, {}
        for row in rows:
            known = before.pop(row.gpid, None)
            if known is not None and _contents(known[1]) == _contents(row):
                self._rows[row.gpid] = known
            else:
                self._rows[row.gpid] = (self._version, row)
        for gpid in before:
            if len(self._gone) == GONE_KEPT:
                self._forgotten = self._gone[0][0]
            self._gone.append((self._version, gpid))

    def since(self, name: bytes, version: int) -> Change:
        """What is new for a viewer who has a version of this log; everything for any other."""
        is_known = name == self.name and self._forgotten <= version <= self._version
        if not is_known or version == 0:
            return Change(self._version, True, [row for _, row in self._rows.values()], [])
        fresh = [row for changed, row in self._rows.values() if changed > version]
        gone = [gpid for ended, gpid in self._gone if ended > version and gpid not in self._rows]
        return Change(self._version, False, fresh, gone)
