"""How much each process uses GPUs, of what their drivers counted for it at two times. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from nodeagent.mechanism.drm import DrmClient, Engine
from ssi.model.counters import GpuUse

SHORTEST_S: Final = 0.4
"""Two readings so close to each other tell little."""


class GpuLedger:
    """Remembers counters from one reading to the next.

    A client counts for one process alone, the one of the lowest pid, however many have its file
    open: else a child would double what its parent uses.
    """

    def __init__(self) -> None:
        self._engines: dict[tuple[str, int], Mapping[str, Engine]] = {}
        self._taken_at_s = float("-inf")
        self._used: dict[int, GpuUse] = {}

    def observe(
        self, clients: Mapping[int, Sequence[DrmClient]], now_s: float
    ) -> dict[int, GpuUse]:
        """Use by pid since the reading before; 0 % at the first one of a client.

        Args:
            clients: Of each process, by pid.
            now_s: On a clock that never goes back.
        """
        lapse_s = now_s - self._taken_at_s
        if lapse_s < SHORTEST_S:
            return self._used
        before, self._engines, self._used = self._engines, {}, {}
        self._taken_at_s = now_s
        for pid in sorted(clients):
            percent, memory = 0.0, 0
            for client in clients[pid]:
                name = client.device, client.number
                if name in self._engines:
                    continue
                older = before.get(name, client.engines)
                self._engines[name] = _no_less(client.engines, older)
                memory += client.memory_bytes
                percent += _busiest(older, client.engines, lapse_s)
            self._used[pid] = GpuUse(percent, memory)
        return self._used


def _busiest(older: Mapping[str, Engine], engines: Mapping[str, Engine], lapse_s: float) -> float:
    shares = [
        _share(older[name], engine, lapse_s) for name, engine in engines.items() if name in older
    ]
    return 100 * max(shares, default=0.0)


def _share(older: Engine, engine: Engine, lapse_s: float) -> float:
    """Of the time, and of all engines of that kind; never more than all of it."""
    spent = max(engine.busy - older.busy, 0)
    whole = engine.cycles - older.cycles if engine.cycles else lapse_s * 1e9
    return min(spent / whole / engine.units, 1.0) if whole > 0 else 0.0


def _no_less(engines: Mapping[str, Engine], older: Mapping[str, Engine]) -> dict[str, Engine]:
    """A counter that fell behind will catch up: until then what it had counts, says the kernel."""
    return {
        name: engine._replace(busy=max(engine.busy, older[name].busy)) if name in older else engine
        for name, engine in engines.items()
    }
