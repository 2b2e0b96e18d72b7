"""What a viewer that stays asks of a node's process table, and does to single processes."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from ssi.model.counters import HostCounters, ProcessGpu, ProcessTraffic
from ssi.model.job import Whereabouts
from ssi.model.process import ProcessRow
from ssi.protocol.message import ReplyMessage, RequestMessage

Aspect: TypeAlias = Literal["environment", "files", "cpus", "calls"]
"""What is to be told of one process: ``calls`` are those of the next 3 s, by strace(1)."""


class WatchProcesses(RequestMessage, frozen=True, tag="watch-processes"):
    """Asks a node for what is new in its process table: :class:`TableChange`.

    Attributes:
        table: As the last answer named it; empty for the first question.
        since: The version that the last answer had.
        traffic: Whether to tell what processes read and wrote, which costs a file for each.
        threads: Whether threads are rows too, which costs a file for each; without the arguments
            of their processes. It is another table, with versions of its own.
        gpus: Whether to tell what processes use of GPUs; costs nothing where there is none.
    """

    table: bytes = b""
    since: int = 0
    traffic: bool = False
    threads: bool = False
    gpus: bool = False


class TableChange(ReplyMessage, frozen=True, tag="table-change"):
    """The whole table of a node, or what has changed of it.

    Attributes:
        taken_at_s: On the node's wall clock.
        table: Names this run of the agent; versions of another mean nothing.
        whole: ``rows`` are all that there are, since the asker's version is not known any more.
        rows: Those that are new or differ in more than their age.
        gone: Gpids of those that ended or left.
        traffic: Of processes of the caller, and of all for root, where it was asked for.
        gpus: Of processes that have a GPU open, where it was asked for.
        departed: The jobs that have just left for another node, or are about to run there.
    """

    node: str
    taken_at_s: float
    table: bytes
    version: int
    whole: bool
    rows: tuple[ProcessRow, ...]
    gone: tuple[int, ...] = ()
    counters: HostCounters | None = None
    traffic: tuple[ProcessTraffic, ...] = ()
    gpus: tuple[ProcessGpu, ...] = ()
    departed: tuple[Whereabouts, ...] = ()


class TuneProcess(RequestMessage, frozen=True, tag="tune-process"):
    """Sets priority, processors or I/O priority of one process: :class:`Done`.

    ``start_ms`` is the identity that the user saw beside the gpid. What is None stays as it is.

    Attributes:
        nice: -20 to 19; only root may make it less.
        cpus: On which it may run.
        io_class: 0 none, 1 realtime (root only), 2 best effort, 3 idle. Source: ioprio_set(2).
        io_level: 0 to 7 within the class.
    """

    mutating: ClassVar[bool] = True
    gpid: int
    start_ms: int
    nice: int | None = None
    cpus: tuple[int, ...] | None = None
    io_class: int | None = None
    io_level: int = 4


class InspectProcess(RequestMessage, frozen=True, tag="inspect-process"):
    """Asks what only the owner of a process and root may see: :class:`ProcessInspected`."""

    gpid: int
    start_ms: int
    aspect: Aspect


class ProcessInspected(ReplyMessage, frozen=True, tag="process-inspected"):
    """Lines for a person, as the process has them: whoever shows them makes them plain."""

    lines: tuple[str, ...]
