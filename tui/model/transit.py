"""Processes of jobs that have left a node, until the next one tells of them: none is gone."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tui.model.entry import Entry

LOOKS: Final = 2
"""So many answers of where they went may know nothing of them: one was under way as they came."""


@dataclass(slots=True)
class _Leaving:
    entry: Entry
    to: str
    looks: int = LOOKS


class Transit:
    """What is between two nodes."""

    def __init__(self) -> None:
        self._leaving: dict[int, _Leaving] = {}

    def leave(self, entries: Iterable[Entry], homes: Mapping[int, str]) -> None:
        """A node tells of these no more.

        Args:
            entries: As it told of them last.
            homes: Where jobs have gone from it, by their gpid.
        """
        for entry in entries:
            if to := homes.get(entry.row.job or 0):
                self._leaving[entry.row.gpid] = _Leaving(entry, to)

    def hear(self, node: str, gpids: Container[int], homes: Mapping[int, str]) -> None:
        """A node told which processes it has, and where jobs have gone from it."""
        for gpid, leaving in list(self._leaving.items()):
            if gpid in gpids:
                del self._leaving[gpid]
            elif leaving.to == node:
                if further := homes.get(leaving.entry.row.job or 0):
                    leaving.to, leaving.looks = further, LOOKS
                else:
                    leaving.looks -= 1
                if not leaving.looks:
                    del self._leaving[gpid]

    def entries(self) -> dict[int, Entry]:
        """All of them, by gpid, as they were."""
        return {gpid: leaving.entry for gpid, leaving in self._leaving.items()}
