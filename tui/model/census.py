"""All processes of all nodes as they were last told, and how old that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from ssi.model.counters import ProcessGpu, ProcessTraffic
from ssi.model.job import Whereabouts
from ssi.model.process import ProcessRow
from ssi.view.threads import with_commands
from tui.model.entry import Entry
from tui.model.transit import Transit

STALE_S: Final = 3.5
"""Rows that are older are greyed and show their age: three looks in a row went unanswered."""

SHORTEST_S: Final = 0.05
"""Two looks so close to each other tell nothing of CPU use."""


@dataclass(slots=True, kw_only=True)
class Sheet:
    """What one node told last.

    Attributes:
        entries: By gpid.
        taken_at_s: On the node's own clock.
        heard_at_s: On ours.
        problem: Why it does not answer; empty where it does.
        traffic: What processes read and wrote so far, by gpid, and when that was.
    """

    entries: dict[int, Entry] = field(default_factory=dict)
    taken_at_s: float = 0.0
    heard_at_s: float = float("-inf")
    problem: str = ""
    traffic: dict[int, tuple[float, int, int]] = field(default_factory=dict)

    def command(self, gpid: int) -> tuple[str, ...]:
        """The arguments of a process; none where it is not known."""
        entry = self.entries.get(gpid)
        return entry.row.command if entry is not None else ()


class Census:
    """The rows of every node. The clock is an argument."""

    def __init__(self) -> None:
        self.sheets: dict[str, Sheet] = {}
        self._transit = Transit()

    def hear(
        self,
        node: str,
        rows: Sequence[ProcessRow],
        *,
        taken_at_s: float,
        memory_bytes: int,
        now_s: float,
        departed: Iterable[Whereabouts] = (),
    ) -> None:
        """A node told all of its processes, and which jobs have just left it."""
        old = self.sheets.get(node, Sheet())
        lapse_s = taken_at_s - old.taken_at_s
        entries = {
            row.gpid: _entry(node, row, old.entries.get(row.gpid), lapse_s, memory_bytes)
            for row in with_commands(rows)
        }
        self.sheets[node] = replace(
            old, entries=entries, taken_at_s=taken_at_s, heard_at_s=now_s, problem=""
        )
        missed = (entry for gpid, entry in old.entries.items() if gpid not in entries)
        self._hear_departed(node, missed, departed)

    def hear_change(
        self,
        node: str,
        changed: Sequence[ProcessRow],
        gone: Iterable[int],
        *,
        taken_at_s: float,
        memory_bytes: int,
        now_s: float,
        departed: Iterable[Whereabouts] = (),
    ) -> None:
        """A node told what is new since its last answer, and which jobs have just left it."""
        sheet = self.sheets[node]
        lapse_s = taken_at_s - sheet.taken_at_s
        missed = [sheet.entries.pop(gpid) for gpid in gone if gpid in sheet.entries]
        fresh = {
            row.gpid: _entry(node, row, sheet.entries.get(row.gpid), lapse_s, memory_bytes)
            for row in with_commands(changed, sheet.command)
        }
        if lapse_s > SHORTEST_S:
            for gpid, entry in sheet.entries.items():
                if entry.cpu_percent and gpid not in fresh:
                    sheet.entries[gpid] = entry._replace(cpu_percent=0.0)
        sheet.entries.update(fresh)
        sheet.taken_at_s, sheet.heard_at_s, sheet.problem = taken_at_s, now_s, ""
        self._hear_departed(node, missed, departed)

    def _hear_departed(
        self, node: str, missed: Iterable[Entry], departed: Iterable[Whereabouts]
    ) -> None:
        homes = {each.gpid: each.node for each in departed}
        self._transit.leave(missed, homes)
        self._transit.hear(node, self.sheets[node].entries, homes)

    def hear_traffic(self, node: str, told: Iterable[ProcessTraffic], taken_at_s: float) -> None:
        """A node told what processes have read and written."""
        sheet = self.sheets[node]
        before, sheet.traffic = sheet.traffic, {}
        for each in told:
            sheet.traffic[each.gpid] = taken_at_s, each.read_bytes, each.written_bytes
            then_s, read, written = before.get(each.gpid, sheet.traffic[each.gpid])
            entry = sheet.entries.get(each.gpid)
            if entry is not None and (lapse_s := taken_at_s - then_s) > SHORTEST_S:
                sheet.entries[each.gpid] = entry._replace(
                    read_bytes_s=max(each.read_bytes - read, 0) / lapse_s,
                    written_bytes_s=max(each.written_bytes - written, 0) / lapse_s,
                )

    def hear_gpus(self, node: str, told: Iterable[ProcessGpu]) -> None:
        """A node told what processes use of GPUs; all others use none."""
        entries = self.sheets[node].entries
        used = {each.gpid: each for each in told}
        for gpid in [g for g, entry in entries.items() if entry.gpu_bytes or entry.gpu_percent]:
            if gpid not in used:
                entries[gpid] = entries[gpid]._replace(gpu_percent=0.0, gpu_bytes=0)
        for gpid, each in used.items():
            if (entry := entries.get(gpid)) is not None:
                entries[gpid] = entry._replace(
                    gpu_percent=each.percent, gpu_bytes=each.memory_bytes
                )

    def hear_nice(self, gpid: int, nice: int) -> None:
        """A process was given another priority, which its node will tell in its next answer."""
        if (entry := self.find(gpid)) is not None:
            row = msgspec.structs.replace(entry.row, nice=nice)
            self.sheets[entry.node].entries[gpid] = entry._replace(row=row)

    def excuse(self, lapse_s: float) -> None:
        """Nobody asked for so long, so rows have not aged: whoever was not asked is not silent."""
        for sheet in self.sheets.values():
            sheet.heard_at_s += lapse_s

    def miss(self, node: str, problem: str) -> None:
        """A node did not answer: its rows stay as they are, and age."""
        self.sheets.setdefault(node, Sheet()).problem = problem

    def forget(self, known: Iterable[str]) -> None:
        """Drops the nodes that the system no longer has."""
        names = set(known)
        for node in [node for node in self.sheets if node not in names]:
            del self.sheets[node]

    def age_s(self, node: str, now_s: float) -> float:
        """How long ago a node told; infinity if never."""
        sheet = self.sheets.get(node)
        return now_s - sheet.heard_at_s if sheet is not None else float("inf")

    def is_stale(self, node: str, now_s: float) -> bool:
        """Whether its rows may have nothing to do with how it is now."""
        return self.age_s(node, now_s) > STALE_S

    def entries(self) -> list[Entry]:
        """All processes, each once."""
        return list(self.by_gpid().values())

    def by_gpid(self) -> dict[int, Entry]:
        """All processes, each once: one that moved is where it was told of last."""
        found = self._transit.entries()
        twice: set[int] = set()
        for _name, sheet in sorted(self.sheets.items()):
            twice |= found.keys() & sheet.entries.keys()
            found.update(sheet.entries)
        for gpid in twice:
            if (newest := self.find(gpid)) is not None:
                found[gpid] = newest
        return found

    def find(self, gpid: int) -> Entry | None:
        """The process of that gpid, where it was told of last."""
        held = [sheet for sheet in self.sheets.values() if gpid in sheet.entries]
        newest = max(held, key=lambda sheet: sheet.heard_at_s, default=None)
        return newest.entries[gpid] if newest is not None else self._transit.entries().get(gpid)


def _entry(
    node: str, row: ProcessRow, old: Entry | None, lapse_s: float, memory_bytes: int
) -> Entry:
    cpu_percent = row.cpu_percent
    if old is not None and old.row.start_ms == row.start_ms:
        if lapse_s > SHORTEST_S:
            cpu_percent = max(row.cpu_s - old.row.cpu_s, 0.0) * 100 / lapse_s
        else:
            cpu_percent = old.cpu_percent
    share = 100 * row.rss_bytes / memory_bytes if memory_bytes else 0.0
    return Entry(node, row, cpu_percent, share)
