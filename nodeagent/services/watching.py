"""The process table for viewers that stay: only what changed, and the host's counters beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.mechanism.hostcounters import read_counters
from nodeagent.mechanism.tuning import traffic
from nodeagent.services.gpus import GpuWatch
from nodeagent.services.processes import hide_commands
from nodeagent.services.table import TableService
from nodeagent.tablelog import TableLog
from ssi.model.counters import ProcessTraffic
from ssi.model.job import Whereabouts
from ssi.model.process import ProcessRow
from ssi.protocol.table import TableChange, WatchProcesses


class WatchService:
    """Handler for viewers.

    Args:
        node: Name of this node.
        table: Whose rows are told.
        whereabouts: Of its jobs.
    """

    def __init__(
        self, node: str, table: TableService, whereabouts: Callable[[], Iterable[Whereabouts]]
    ) -> None:
        self._node = node
        self._whereabouts = whereabouts
        self._table = table
        self._log = TableLog()
        self._thread_log = TableLog()
        self._gpus = GpuWatch()

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to viewers."""
        dispatcher.serve(WatchProcesses, self._watch)

    async def _watch(self, caller: Caller, body: WatchProcesses) -> TableChange:
        taken_at_s = time.time()
        rows, log = self._table.rows(), self._log
        if body.threads:
            rows, log = self._table.with_threads(rows), self._thread_log
        log.observe(rows)
        change = log.since(body.table, body.since)
        gpus = await self._gpus.read(rows) if body.gpus else ()
        return TableChange(
            node=self._node,
            taken_at_s=taken_at_s,
            table=log.name,
            version=change.version,
            whole=change.whole,
            rows=tuple(hide_commands(change.rows, caller.user)),
            gone=tuple(change.gone),
            counters=read_counters(),
            traffic=self._traffic(caller, rows) if body.traffic else (),
            gpus=gpus,
            departed=tuple(
                each for each in self._whereabouts() if each.node not in {self._node, ""}
            ),
        )

    def _traffic(self, caller: Caller, rows: Iterable[ProcessRow]) -> tuple[ProcessTraffic, ...]:
        """Of those processes whose owner asks: what others read and write may tell secrets."""
        told = (
            traffic(row.pid, row.gpid)
            for row in rows
            if not row.thread_of and (caller.is_root or row.user == caller.user)
        )
        return tuple(each for each in told if each and (each.read_bytes or each.written_bytes))
