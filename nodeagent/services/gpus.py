"""What processes of this node use of its GPUs; where there is none, that costs nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import Final

from nodeagent.gpuuse import GpuLedger
from nodeagent.mechanism.drm import has_devices, read_clients
from nodeagent.mechanism.nvidiasmi import NvidiaSmi
from ssi.model.counters import GpuUse, ProcessGpu
from ssi.model.process import ProcessRow

LOOK_EVERY_S: Final = 30.0
"""How often it is looked whether there is a GPU."""

SEARCH_EVERY_S: Final = 5.0
"""How often all processes are searched for open GPUs; between that only those that had one."""


def kinds_of_gpus() -> tuple[str, ...]:
    """Of which of them it is read what processes use: ``drm``, ``nvidia``."""
    there = {"drm": has_devices(), "nvidia": NvidiaSmi().is_there()}
    return tuple(kind for kind, is_there in there.items() if is_there)


class GpuWatch:
    """Answers viewers, of which several may ask at once."""

    def __init__(self) -> None:
        self._nvidia = NvidiaSmi()
        self._ledger = GpuLedger()
        self._reading = asyncio.Lock()
        self._looked_at_s = self._searched_at_s = float("-inf")
        self._kinds: tuple[str, ...] = ()
        self._holders: set[int] = set()

    async def read(self, rows: Sequence[ProcessRow]) -> tuple[ProcessGpu, ...]:
        """What each of these processes uses, if anything; files are read in a thread."""
        if not self._is_there():
            return ()
        async with self._reading:
            gpids = {row.pid: row.gpid for row in rows if not row.thread_of}
            used: dict[int, GpuUse] = {}
            if "drm" in self._kinds:
                used = await asyncio.to_thread(self._read_drm, gpids.keys())
            if "nvidia" in self._kinds:
                used = used | self._nvidia.read()
        return tuple(
            ProcessGpu(gpid=gpids[pid], percent=round(percent, 1), memory_bytes=memory)
            for pid, (percent, memory) in used.items()
            if pid in gpids
        )

    def _is_there(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._looked_at_s >= LOOK_EVERY_S:
            self._looked_at_s = now_s
            self._kinds = kinds_of_gpus()
        return bool(self._kinds)

    def _read_drm(self, pids: Collection[int]) -> dict[int, GpuUse]:
        now_s = time.monotonic()
        searched = now_s - self._searched_at_s >= SEARCH_EVERY_S
        clients = read_clients(pids if searched else self._holders.intersection(pids))
        if searched:
            self._searched_at_s, self._holders = now_s, set(clients)
        return self._ledger.observe(clients, time.monotonic())
