"""What this machine has counted since its boot: processor time, pressure, network, disks.

Source: proc_stat(5), the kernel's accounting/psi.rst, proc_pid_net(5), admin-guide/iostats.rst.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from ssi.model.counters import HostCounters

_SECTOR_BYTES: Final = 512
_NO_DISKS: Final = ("loop", "ram", "zram", "dm-", "md", "sr")
"""Not disks, or made of disks that are counted by themselves."""


def read_counters(root: Path = Path("/proc")) -> HostCounters:
    """The counters as they are now; what cannot be read is left out."""
    received, sent = parse_network(_text(root / "net" / "dev"))
    read, written = parse_disks(_text(root / "diskstats"))
    return HostCounters(
        taken_at_s=time.monotonic(),
        cores=parse_cores(_text(root / "stat")),
        pressure=_pressure(root / "pressure"),
        received_bytes=received,
        sent_bytes=sent,
        read_bytes=read,
        written_bytes=written,
    )


def parse_cores(stat: str) -> tuple[tuple[int, int], ...]:
    """For each core, busy ticks and all ticks. Waiting for I/O is not busy."""
    cores = []
    for line in stat.splitlines():
        name, *words = line.split()
        if name.startswith("cpu") and name != "cpu" and len(words) >= 5:
            ticks = [int(word) for word in words[:8]]  # guest time is in user time already
            total = sum(ticks)
            cores.append((total - ticks[3] - ticks[4], total))
    return tuple(cores)


def parse_pressure(text: str) -> float | None:
    """Percent of the last 10 s in which something waited; None where the kernel does not tell."""
    for line in text.splitlines():
        name, *pairs = line.split()
        values = dict(pair.partition("=")[::2] for pair in pairs)
        if name == "some" and "avg10" in values:
            return float(values["avg10"])
    return None


def parse_network(text: str) -> tuple[int, int]:
    """Bytes received and sent over all interfaces but the loopback."""
    received = sent = 0
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        words = rest.split()
        if colon and name.strip() != "lo" and len(words) >= 9:
            received += int(words[0])
            sent += int(words[8])
    return received, sent


def parse_disks(text: str) -> tuple[int, int]:
    """Bytes read from and written to whole disks; their partitions are a part of them."""
    read = written = 0
    disks: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 10 or words[2].startswith(_NO_DISKS):
            continue
        name = words[2]
        if any(_is_partition(name, disk) for disk in disks):
            continue
        disks.append(name)
        read += int(words[5]) * _SECTOR_BYTES
        written += int(words[9]) * _SECTOR_BYTES
    return read, written


def _is_partition(name: str, disk: str) -> bool:
    """``sda1`` of ``sda``, ``nvme0n1p2`` of ``nvme0n1``."""
    rest = name.removeprefix(disk)
    if rest == name:
        return False
    return (rest.removeprefix("p") if disk[-1].isdigit() else rest).isdigit()


def _pressure(directory: Path) -> tuple[float, float, float] | None:
    told = [parse_pressure(_text(directory / name)) for name in ("cpu", "memory", "io")]
    if any(value is None for value in told):
        return None
    cpu, memory, io = (value or 0.0 for value in told)
    return cpu, memory, io


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:  # no such file in this kernel, or it is switched off
        return ""
