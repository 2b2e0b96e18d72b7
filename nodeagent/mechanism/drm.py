"""What processes use of GPUs, as amdgpu, i915, xe, panfrost, msm and nouveau tell it.

Each open file of a GPU has counters in ``/proc/PID/fdinfo``. A driver tells what it can: busy
nanoseconds of each engine, or busy cycles beside all cycles, or memory alone.
Source: the kernel's gpu/drm-usage-stats.rst, and the pages of its drivers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_UNITS: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_MEMORY: Final = ("drm-resident-", "drm-memory-", "drm-total-")
"""By preference: what is there now, the older name of that, and all that was ever asked for."""


class Engine(NamedTuple):
    """Counters of one kind of engine.

    Attributes:
        busy: Nanoseconds or cycles.
        cycles: All that there were meanwhile; 0 where it counts nanoseconds.
        units: How many engines of this kind there are.
    """

    busy: int
    cycles: int = 0
    units: int = 1


class DrmClient(NamedTuple):
    """One user of one GPU: whoever opened it; several descriptors may belong to it.

    Attributes:
        device: Where the GPU is plugged in, or else its driver.
        number: Of this client of that GPU.
        engines: By their names.
        memory_bytes: In all places that the driver counts.
    """

    device: str
    number: int
    engines: Mapping[str, Engine]
    memory_bytes: int


def parse_client(text: str) -> DrmClient | None:
    """The client that an open file belongs to; None where it is no file of a GPU."""
    fields = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.startswith("drm-"):
            fields[key] = value.strip()
    number = fields.get("drm-client-id", "")
    if not number.isdecimal():
        return None
    return DrmClient(
        device=fields.get("drm-pdev") or fields.get("drm-driver", ""),
        number=int(number),
        engines=_engines(fields),
        memory_bytes=_memory_bytes(fields),
    )


def read_clients(pids: Iterable[int], root: Path = Path("/proc")) -> dict[int, list[DrmClient]]:
    """The clients of each of these processes that has any. One that has ended is left out."""
    found = {pid: _clients_of(root / str(pid)) for pid in pids}
    return {pid: clients for pid, clients in found.items() if clients}


def has_devices(devices: Path = Path("/dev/dri")) -> bool:
    """Whether there is a GPU with such a driver at all."""
    return devices.is_dir()


def _clients_of(process: Path) -> list[DrmClient]:
    clients = []
    with suppress(OSError):  # it has ended, or is not ours to look into
        for descriptor in os.scandir(process / "fd"):
            if os.readlink(descriptor.path).startswith("/dev/dri/"):  # noqa: PTH115 - thousands
                text = (process / "fdinfo" / descriptor.name).read_text(errors="replace")
                if (client := parse_client(text)) is not None:
                    clients.append(client)
    return clients


def _engines(fields: Mapping[str, str]) -> dict[str, Engine]:
    engines = {}
    for key, value in fields.items():
        if key.startswith("drm-engine-") and not key.startswith("drm-engine-capacity-"):
            name = key.removeprefix("drm-engine-")
            engines[name] = Engine(_number(value), 0, _units(fields, name))
        elif key.startswith("drm-total-cycles-"):
            name = key.removeprefix("drm-total-cycles-")
            busy = _number(fields.get(f"drm-cycles-{name}", ""))
            engines.setdefault(name, Engine(busy, _number(value), _units(fields, name)))
    return engines


def _units(fields: Mapping[str, str], engine: str) -> int:
    return max(_number(fields.get(f"drm-engine-capacity-{engine}", "1")), 1)


def _memory_bytes(fields: Mapping[str, str]) -> int:
    for prefix in _MEMORY:
        told = [
            _number(value)
            for key, value in fields.items()
            if key.startswith(prefix) and not key.startswith("drm-total-cycles-")
        ]
        if told:
            return sum(told)
    return 0


def _number(value: str) -> int:
    """The number, in bytes where it has a unit of memory; 0 for what is none."""
    digits, _, unit = value.partition(" ")
    return int(digits) * _UNITS.get(unit.strip(), 1) if digits.isdecimal() else 0
