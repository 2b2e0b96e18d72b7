"""The columns of the process table, named as for ps(1): how each shows and what it sorts by.

Whole columns are rendered at once, since a table of 480 rows has 6,000 cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from ssi.model.errors import UsageError
from ssi.model.process import ProcessRow
from ssi.view.quantity import NONE, cpu_time, elapsed, percent
from ssi.view.table import Column


class Placed(NamedTuple):
    """A process where it runs.

    Attributes:
        node: Name of the node that has it.
        row: As that node sent it.
        memory_bytes: Of the node; 0 where nobody told yet.
    """

    node: str
    row: ProcessRow
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now, and in which zone times of day are meant.

    Attributes:
        now_s: Wall clock.
        zone: None for the zone of this machine.
    """

    now_s: float
    zone: tzinfo | None = None


SortValue: TypeAlias = int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessColumn:
    """One column of the process table.

    Attributes:
        cells: The texts of the column for all rows.
        sort_value: By which ``--sort`` orders; numbers, not their texts.
        bears_tree: Whether a tree's lines stand before its cells.
    """

    column: Column
    cells: Callable[[Sequence[Placed], Moment], list[str]]
    sort_value: Callable[[Placed], SortValue]
    bears_tree: bool = False


DEFAULT_COLUMNS: Final = (
    "gpid,node,user,s,ni,%cpu,%mem,vsz,rss,tty,start,time,command"  # as of `ps aux`, and the node
)
JOB_COLUMNS: Final = "gpid,job,node,user,s,ni,%cpu,%mem,vsz,rss,tty,start,time,command"
THREAD_COLUMNS: Final = "gpid,lwp,node,user,s,ni,%cpu,nlwp,start,time,comm,command"


def parse_columns(text: str) -> list[ProcessColumn]:
    """The columns named as for ``ps -o``: ``gpid,user=OWNER,args=``.

    Raises:
        UsageError: One is unknown.
    """
    chosen = []
    for part in filter(None, (part.strip() for part in text.replace(" ", ",").split(","))):
        name, equals, title = part.partition("=")
        column = column_named(name, "-o")
        if equals:
            column = replace(column, column=replace(column.column, title=title))
        chosen.append(column)
    if not chosen:
        raise UsageError(text="-o names no column", hint=f"columns: {', '.join(column_names())}")
    return chosen


def column_names() -> list[str]:
    """The first name of each column."""
    return list(dict.fromkeys(names[0] for names in _NAMES))


def is_column(name: str) -> bool:
    """Whether a column is called so."""
    return name.lower() in _COLUMNS


def column_named(name: str, option: str) -> ProcessColumn:
    """The column of that name.

    Raises:
        UsageError: There is none; it says which option asked for it.
    """
    column = _COLUMNS.get(name.lower())
    if column is None:
        raise UsageError(
            text=f"{option}: there is no column {name!r}",
            hint=f"columns: {', '.join(column_names())}",
        )
    return column


def command_text(row: ProcessRow) -> str:
    """What the COMMAND column shows; ``[name]`` without arguments, as ps(1) does."""
    return command_line(row.name, row.command, row.state)


def command_line(name: str, command: Sequence[str], state: str) -> str:
    """The same of what it is made of."""
    text = " ".join(command) if command else f"[{name}]"
    return f"{text} <defunct>" if state == "Z" else text


def memory_percent(placed: Placed) -> float:
    """Resident memory as a share of its node's, 100 being all."""
    if not placed.memory_bytes:
        return 0.0
    return 100 * placed.row.rss_bytes / placed.memory_bytes


def start_text(started_at_s: float, moment: Moment) -> str:
    """The time of day of a start less than a day ago, else its day, else its year, as ps(1)."""
    started = datetime.fromtimestamp(started_at_s, moment.zone)
    now = datetime.fromtimestamp(moment.now_s, moment.zone)
    if now - started < timedelta(days=1) and started.day == now.day:
        return f"{started:%H:%M}"
    return f"{started:%b%d}" if started.year == now.year else f"{started:%Y}"


def _text(
    title: str, of_row: Callable[[ProcessRow], str], *, bears_tree: bool = False
) -> ProcessColumn:
    """A column whose text is also what it sorts by."""
    return ProcessColumn(
        column=Column(title=title),
        cells=lambda placed, _: [of_row(p.row) for p in placed],
        sort_value=lambda p: of_row(p.row),
        bears_tree=bears_tree,
    )


def _number(
    title: str,
    of_row: Callable[[ProcessRow], float],
    show: Callable[[float], str] = str,
) -> ProcessColumn:
    """A column of numbers, on the right."""
    return ProcessColumn(
        column=Column(title=title, right=True),
        cells=lambda placed, _: [show(of_row(p.row)) for p in placed],
        sort_value=lambda p: of_row(p.row),
    )


def _kib(count_bytes: float) -> str:
    return str(int(count_bytes) // 1024)


def _optional(gpid: float) -> str:
    return str(gpid) if gpid else NONE


def _start_cells(placed: Sequence[Placed], moment: Moment) -> list[str]:
    known: dict[int, str] = {}  # few minutes see the start of many processes
    cells = []
    for p in placed:
        minute = int(p.row.started_at_s // 60)
        text = known.get(minute)
        if text is None:
            text = known[minute] = start_text(minute * 60, moment)
        cells.append(text)
    return cells


_NODE: Final = ProcessColumn(
    column=Column(title="NODE"),
    cells=lambda placed, _: [p.node for p in placed],
    sort_value=lambda p: p.node,
)
_MEMORY: Final = ProcessColumn(
    column=Column(title="%MEM", right=True),
    cells=lambda placed, _: [percent(memory_percent(p)) for p in placed],
    sort_value=memory_percent,
)
_START: Final = ProcessColumn(
    column=Column(title="START", right=True),
    cells=_start_cells,
    sort_value=lambda p: p.row.started_at_s,
)
_FULL_START: Final = ProcessColumn(
    column=Column(title="STARTED"),
    cells=lambda placed, moment: [
        f"{datetime.fromtimestamp(p.row.started_at_s, moment.zone):%a %b %e %H:%M:%S %Y}"
        for p in placed
    ],
    sort_value=lambda p: p.row.started_at_s,
)
_ELAPSED: Final = ProcessColumn(
    column=Column(title="ELAPSED", right=True),
    cells=lambda placed, moment: [elapsed(moment.now_s - p.row.started_at_s) for p in placed],
    sort_value=lambda p: -p.row.started_at_s,
)

_NAMES: Final[dict[tuple[str, ...], ProcessColumn]] = {
    ("gpid",): _number("GPID", lambda row: row.thread_of or row.gpid),
    ("ppid", "parent"): _number("PPID", attrgetter("parent_gpid")),
    ("pid",): _number("PID", attrgetter("pid")),
    ("lwp", "tid", "spid"): _number("LWP", attrgetter("tid"), _optional),
    ("job",): _number("JOB", attrgetter("job"), _optional),
    ("node", "host"): _NODE,
    ("user", "uname", "euser"): _text("USER", attrgetter("user")),
    ("s", "state", "stat"): _text("S", attrgetter("state")),
    ("ni", "nice"): _number("NI", attrgetter("nice")),
    ("nlwp", "thcount", "threads"): _number("NLWP", attrgetter("threads")),
    ("%cpu", "pcpu", "cpu"): _number("%CPU", attrgetter("cpu_percent"), percent),
    ("%mem", "pmem", "mem"): _MEMORY,
    ("vsz", "vsize"): _number("VSZ", attrgetter("vsize_bytes"), _kib),
    ("rss", "rssize"): _number("RSS", attrgetter("rss_bytes"), _kib),
    ("tty", "tt", "tname"): _text("TTY", attrgetter("tty")),
    ("start", "stime", "start_time", "bsdstart"): _START,
    ("lstart",): _FULL_START,
    ("etime",): _ELAPSED,
    ("time", "cputime", "bsdtime"): _number("TIME", attrgetter("cpu_s"), cpu_time),
    ("sess", "sid", "session"): _number("SESS", attrgetter("session_gpid"), _optional),
    ("pgid", "pgrp"): _number("PGID", attrgetter("group_gpid"), _optional),
    ("comm", "ucmd", "name"): _text("COMMAND", attrgetter("name"), bears_tree=True),
    ("command", "args", "cmd"): _text("COMMAND", command_text, bears_tree=True),
}
_COLUMNS: Final = {name: column for names, column in _NAMES.items() for name in names}
