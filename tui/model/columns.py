"""The columns of the views of processes: what each shows, how wide, and what it sorts by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, TypeAlias

from ssi.view.quantity import size
from ssi.view.text import plain
from tui.model.entry import Entry

SortValue: TypeAlias = float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessColumn:
    """One column.

    Attributes:
        title: In the header.
        width: In cells; 0 for the last one, which takes the rest.
        cell: What it shows of a process.
        value: By which it sorts.
        largest_first: How it sorts unless it is turned round.
        from_width: Of the screen, from which on there is room for it.
        right: Stands on the right.
    """

    name: str
    title: str
    width: int
    cell: Callable[[Entry], str]
    value: Callable[[Entry], SortValue]
    largest_first: bool = False
    from_width: int = 0
    right: bool = True


def time_text(seconds: float) -> str:
    """CPU time as htop has it: ``0:03.12``, ``59:59.99``, ``1h02:03``, ``12d03h``."""
    if seconds < 3599.995:
        whole, hundredths = divmod(round(seconds * 100), 100)
        return f"{whole // 60}:{whole % 60:02d}.{hundredths:02d}"
    hours, rest = divmod(int(seconds), 3600)
    if hours < 100:
        return f"{hours}h{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours // 24}d{hours % 24:02d}h"


def _percent(value: float) -> str:
    return f"{value:.1f}" if value < 999.95 else f"{value:.0f}"


def _column(
    name: str,
    title: str,
    width: int,
    cell: Callable[[Entry], str],
    value: Callable[[Entry], SortValue],
    *,
    largest_first: bool = False,
    from_width: int = 0,
    right: bool = True,
) -> ProcessColumn:
    return ProcessColumn(
        name=name,
        title=title,
        width=width,
        cell=cell,
        value=value,
        largest_first=largest_first,
        from_width=from_width,
        right=right,
    )


_nice: Final = attrgetter("row.nice")
_ALL: Final = (
    _column("gpid", "GPID", 9, lambda e: str(e.row.gpid), attrgetter("row.gpid")),
    _column("node", "NODE", 5, lambda e: plain(e.node), attrgetter("node"), right=False),
    _column("user", "USER", 8, lambda e: plain(e.row.user), attrgetter("row.user"), right=False),
    _column(
        "pri", "PRI", 3, lambda e: str(20 + e.row.nice), attrgetter("row.nice"), from_width=100
    ),
    _column("ni", "NI", 3, lambda e: str(e.row.nice), _nice),
    _column(
        "virt",
        "VIRT",
        5,
        lambda e: size(e.row.vsize_bytes),
        attrgetter("row.vsize_bytes"),
        largest_first=True,
        from_width=100,
    ),
    _column(
        "res",
        "RES",
        5,
        lambda e: size(e.row.rss_bytes),
        attrgetter("row.rss_bytes"),
        largest_first=True,
    ),
    _column("s", "S", 1, lambda e: e.row.state, attrgetter("row.state"), right=False),
    _column(
        "cpu",
        "CPU%",
        5,
        lambda e: _percent(e.cpu_percent),
        attrgetter("cpu_percent"),
        largest_first=True,
    ),
    _column(
        "mem",
        "MEM%",
        5,
        lambda e: _percent(e.memory_percent),
        attrgetter("memory_percent"),
        largest_first=True,
    ),
    _column(
        "time",
        "TIME+",
        9,
        lambda e: time_text(e.row.cpu_s),
        attrgetter("row.cpu_s"),
        largest_first=True,
    ),
    _column(
        "threads",
        "THR",
        4,
        lambda e: str(e.row.threads),
        attrgetter("row.threads"),
        largest_first=True,
    ),
    _column(
        "read",
        "READ/s",
        7,
        lambda e: size(e.read_bytes_s),
        attrgetter("read_bytes_s"),
        largest_first=True,
    ),
    _column(
        "write",
        "WRITE/s",
        8,
        lambda e: size(e.written_bytes_s),
        attrgetter("written_bytes_s"),
        largest_first=True,
    ),
    _column(
        "io",
        "IO/s",
        7,
        lambda e: size(e.read_bytes_s + e.written_bytes_s),
        lambda e: e.read_bytes_s + e.written_bytes_s,
        largest_first=True,
    ),
    _column(
        "gpu",
        "GPU%",
        5,
        lambda e: _percent(e.gpu_percent),
        attrgetter("gpu_percent"),
        largest_first=True,
    ),
    _column(
        "gpumem",
        "GMEM",
        5,
        lambda e: size(e.gpu_bytes),
        attrgetter("gpu_bytes"),
        largest_first=True,
    ),
    _column("job", "JOB", 9, lambda e: str(e.row.job or "-"), attrgetter("row.job")),
    _column("tty", "TTY", 8, lambda e: plain(e.row.tty), attrgetter("row.tty"), right=False),
    _column(
        "command",
        "Command",
        0,
        lambda e: plain(e.row.name),
        lambda e: " ".join(e.row.command) or e.row.name,
        right=False,
    ),
)
COLUMNS: Final[Mapping[str, ProcessColumn]] = {column.name: column for column in _ALL}

MAIN: Final = (
    "gpid",
    "node",
    "user",
    "pri",
    "ni",
    "virt",
    "res",
    "s",
    "cpu",
    "mem",
    "time",
    "command",
)
"""What the main view shows unless the settings say otherwise."""


OF_TRAFFIC: Final = ("gpid", "node", "user", "s", "cpu", "io", "read", "write", "command")
"""What the view of I/O shows."""


OF_GPUS: Final = ("gpu", "gpumem")
"""What nodes are asked for only while it is shown or sorted by."""


def with_gpus(names: tuple[str, ...]) -> tuple[str, ...]:
    """The same columns, and before the last one those of GPUs."""
    kept = tuple(name for name in names if name not in OF_GPUS)
    return (*kept[:-1], *OF_GPUS, kept[-1])


def fitting(names: tuple[str, ...], screen_width: int) -> list[ProcessColumn]:
    """The columns of those names for which a screen has room."""
    return [COLUMNS[name] for name in names if COLUMNS[name].from_width <= screen_width]
