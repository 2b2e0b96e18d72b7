"""Keeps lines in the history, and goes on without it where it cannot be used."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from shell.prompt.history import LONGEST, Entry, History, HistoryUnusable
from shell.prompt.recall import MOST, Recall, is_secret
from shell.session.values import Finished, Where
from ssi.model.errors import SsiError


class Keeping:
    """The lines of this person, in memory and in the file.

    Args:
        complain: Called once where the file cannot be used any more.

    Attributes:
        recall: The lines, as they come back.
    """

    def __init__(self, path: Path, complain: Callable[[SsiError], None]) -> None:
        self.recall = Recall()
        self._complain = complain
        self._history: History | None = None
        try:
            self._history = History(path)
        except HistoryUnusable as error:
            complain(error)

    def refresh(self) -> None:
        """Learns what all shells of the person ran since the last time."""
        if self._history is None:
            return
        try:
            self.recall.learn(self._history.after(self.recall.newest, most=MOST))
        except HistoryUnusable as error:
            self._give_up(error)

    def begin(self, line: str, where: Where) -> int:
        """A line begins to run; its number, 0 where it is not kept."""
        if is_secret(line) or len(line) > LONGEST:
            return 0
        entry = Entry(line=line, started_at_s=time.time(), node=where.node, cwd=where.cwd)
        self.recall.learn([entry])
        if self._history is None:
            return 0
        try:
            return self._history.add(entry)
        except HistoryUnusable as error:
            self._give_up(error)
            return 0

    def finish(self, number: int, finished: Finished) -> None:
        """A line has ended."""
        if self._history is None or not number:
            return
        gpid = finished.gpids[0] if finished.gpids else None
        try:
            self._history.finish(
                number, gpid=gpid, status=finished.status, duration_s=finished.duration_s
            )
        except HistoryUnusable as error:
            self._give_up(error)

    def close(self) -> None:
        """Nothing is kept any more."""
        if self._history is not None:
            self._history.close()
            self._history = None

    def _give_up(self, error: HistoryUnusable) -> None:
        self.close()
        self._complain(error)
