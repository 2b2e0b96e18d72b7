"""Sizes, durations, ages and shares as people read them, in few characters."""

from __future__ import annotations

import math
from typing import Final

NONE: Final = "-"
"""Stands where there is nothing to tell."""

_UNITS: Final = "KMGTPE"


def size(count_bytes: float) -> str:
    """A size in powers of 1024 with at most five characters: ``812B``, ``1.5K``, ``15G``."""
    if count_bytes < 1000:
        return f"{max(int(count_bytes), 0)}B"
    value = count_bytes / 1024
    power = 0
    while value >= 999.5 and power < len(_UNITS) - 1:
        value /= 1024
        power += 1
    unit = _UNITS[power]
    # 9.96 is no "10.0": four digits where three carry as much.
    return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"


def used_of(used_bytes: float, total_bytes: float) -> str:
    """``1.2G/7.8G``; nothing where there is none at all."""
    return f"{size(used_bytes)}/{size(total_bytes)}" if total_bytes > 0 else NONE


def counted(number: int, noun: str) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def percent(value: float) -> str:
    """A share, 100 being whole, with one digit after the point."""
    return f"{value:.1f}"


def cpu_time(seconds: float) -> str:
    """Time spent, as ps(1) has it: minutes and seconds, ``3:07``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def elapsed(seconds: float) -> str:
    """A duration as ``ps -o etime`` has it: ``[[DD-]hh:]mm:ss``."""
    minutes, second = divmod(max(int(seconds), 0), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}-{hour:02d}:{minute:02d}:{second:02d}"
    return f"{hour:02d}:{minute:02d}:{second:02d}" if hour else f"{minute:02d}:{second:02d}"


def age(seconds: float) -> str:
    """How long ago, roughly: ``0.3s``, ``12s``, ``4m``, ``3h``, ``2d``; ``never`` for infinity."""
    if math.isinf(seconds) or math.isnan(seconds):
        return "never"
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f}s"
    for limit, unit_s, unit in ((120, 1, "s"), (7200, 60, "m"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds / unit_s)}{unit}"
    return f"{int(seconds / 86_400)}d"


def time_up(seconds: float) -> str:
    """The time since a boot as uptime(1) has it: ``12 days, 3:04``, ``3:04`` or ``4 min``."""
    minutes = int(seconds) // 60
    days, rest = divmod(minutes, 1440)
    hours, minute = divmod(rest, 60)
    clock = f"{hours}:{minute:02d}" if hours or days else f"{minute} min"
    return f"{days} day{'' if days == 1 else 's'}, {clock}" if days else clock


def milliseconds(value_ms: float, *, signed: bool = False) -> str:
    """A short time: ``0.25ms``, ``12ms``, ``1.5s``; with its sign where asked for: ``+3.1ms``."""
    sign = "+" if signed else ""
    size_ms = abs(value_ms)
    if size_ms < 9.95:
        return f"{value_ms:{sign}.2f}ms" if size_ms < 0.995 else f"{value_ms:{sign}.1f}ms"
    if size_ms < 9950:
        return f"{value_ms:{sign}.0f}ms" if size_ms < 999.5 else f"{value_ms / 1000:{sign}.1f}s"
    return f"{value_ms / 1000:{sign}.0f}s"
