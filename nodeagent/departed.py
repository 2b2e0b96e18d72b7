"""Jobs that are no more on this node: where they went, or that they ended here, kept in a file.

A source that fell silent during a move asks its destination about the job, perhaps after the job
has ended there and everybody forgot it. Without this record the answer would be *none*, and the
source would run the job again.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.files import replace_file
from ssi.model.job import Whereabouts
from ssi.model.unreadable import UNREADABLE

_log = logging.getLogger(__name__)

MAX_KEPT: Final = 10_000
"""The oldest beyond that are forgotten."""

LATELY_S: Final = 15.0
"""Who asked before a job left has had its answers by then."""


class Departure(msgspec.Struct, frozen=True, array_like=True):
    """How a job's time here ended: the node that it went to (empty: none), and its epoch."""

    node: str
    epoch: int


class Departed:
    """The record by gpid, in memory and at ``path``. One that cannot be read is begun anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._departures = _load(path)
        self._left_at_s: dict[int, float] = {}

    def of(self, gpid: int) -> Departure | None:
        """How the job's time here ended; None where it was never here, or is."""
        return self._departures.get(gpid)

    def note(self, gpid: int, node: str, epoch: int) -> None:
        """A job of that epoch went to ``node``, or ended here where that is empty."""
        self._departures.pop(gpid, None)
        self._left_at_s.pop(gpid, None)
        self._departures[gpid] = Departure(node, epoch)
        self._left_at_s[gpid] = time.monotonic()
        while len(self._departures) > MAX_KEPT:
            oldest = next(iter(self._departures))
            del self._departures[oldest]
            self._left_at_s.pop(oldest, None)
        self._save()

    def forget(self, gpid: int) -> None:
        """The job is here again. A power cut may undo that, with which the job died, too."""
        self._left_at_s.pop(gpid, None)
        if self._departures.pop(gpid, None) is not None:
            self._save(durable=False)

    def lately(self) -> list[Whereabouts]:
        """Of the jobs whose time here ended within :data:`LATELY_S`."""
        since_s = time.monotonic() - LATELY_S
        while self._left_at_s and (first := next(iter(self._left_at_s.items())))[1] < since_s:
            del self._left_at_s[first[0]]
        left = ((gpid, self._departures[gpid]) for gpid in self._left_at_s)
        return [Whereabouts(gpid, end.epoch + bool(end.node), end.node) for gpid, end in left]

    def _save(self, *, durable: bool = True) -> None:
        try:
            replace_file(self._path, msgspec.json.encode(self._departures), durable=durable)
        except OSError as exc:  # a full disk must not undo a move that is done
            _log.warning("event=departed-not-kept reason=%s", exc)


def _load(path: Path) -> dict[int, Departure]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[int, Departure])
    except FileNotFoundError:
        return {}
    except UNREADABLE as exc:
        _log.warning("event=departed-unreadable path=%s reason=%s", path, exc)
        return {}
