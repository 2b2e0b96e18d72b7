"""How busy a node is, from two readings of its counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ssi.model.counters import HostCounters

_SHORTEST_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Meters:
    """Rates of a node.

    Attributes:
        cores: Each core's use in percent.
        pressure: Share of time in which something waited for CPU, memory and I/O, in percent, over
            10 s; None where its kernel does not tell.
        received_bytes_s: Over all its network interfaces.
        read_bytes_s: From all its disks.
    """

    cores: tuple[float, ...]
    pressure: tuple[float, float, float] | None
    received_bytes_s: float
    sent_bytes_s: float
    read_bytes_s: float
    written_bytes_s: float

    @property
    def cpu_percent(self) -> float:
        """Of all cores together, 100 being all of them busy."""
        return sum(self.cores) / max(len(self.cores), 1)


def meters_between(before: HostCounters, now: HostCounters) -> Meters | None:
    """The rates between two readings of one node; None where they say nothing."""
    lapse_s = now.taken_at_s - before.taken_at_s
    if lapse_s < _SHORTEST_S or len(before.cores) != len(now.cores):
        return None

    def rate(first: int, last: int) -> float:
        return max(last - first, 0) / lapse_s

    return Meters(
        cores=tuple(_use(old, new) for old, new in zip(before.cores, now.cores, strict=True)),
        pressure=now.pressure,
        received_bytes_s=rate(before.received_bytes, now.received_bytes),
        sent_bytes_s=rate(before.sent_bytes, now.sent_bytes),
        read_bytes_s=rate(before.read_bytes, now.read_bytes),
        written_bytes_s=rate(before.written_bytes, now.written_bytes),
    )


def _use(before: tuple[int, int], now: tuple[int, int]) -> float:
    busy, total = now[0] - before[0], now[1] - before[1]
    return max(0.0, min(100.0, 100 * busy / total)) if total > 0 else 0.0
