"""What a host has counted since its boot; whoever reads twice knows how busy it is."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class HostCounters(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Counters of a host at one time.

    Attributes:
        taken_at_s: On a clock of that host that never goes back.
        cores: For each core, ticks in which it was busy, and all of them.
        pressure: Share of time in which something waited for CPU, memory and I/O, in percent, over
            10 s; None where the kernel does not tell. Source: the kernel's accounting/psi.rst.
        received_bytes: Over all interfaces but the loopback.
        read_bytes: From all disks, each once.
    """

    taken_at_s: float
    cores: tuple[tuple[int, int], ...] = ()
    pressure: tuple[float, float, float] | None = None
    received_bytes: int = 0
    sent_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0


class ProcessTraffic(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a process has read from and written to disks since its start. Source: proc_pid_io(5)."""

    gpid: int
    read_bytes: int
    written_bytes: int


class GpuUse(NamedTuple):
    """What a process uses of all GPUs: percent of its busiest engine, and bytes of their memory."""

    percent: float
    memory_bytes: int


class ProcessGpu(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a process uses of GPUs.

    Attributes:
        percent: Of its busiest kind of engine, since the reading before; 100 is all of one GPU.
        memory_bytes: In all GPUs, as their drivers count it.
    """

    gpid: int
    percent: float
    memory_bytes: int
