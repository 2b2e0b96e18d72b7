"""A job: what a user started, one process tree with its terminal or pipes, and its nodes."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

import msgspec

from ssi.model.jobfiles import JobFiles

StreamName: TypeAlias = Literal["stdin", "stdout", "stderr"]
"""A stream of a job. A terminal's output is its ``stdout``."""

DEFAULT_LOG_LIMIT_BYTES = 16 * 1024 * 1024
"""How much of each output stream of a detached job is kept, from its first byte."""

LEASE_S = 20.0
"""How long a foreground job waits for a client that was cut off, unless it is told otherwise."""


class JobState(StrEnum):
    """Where a job is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"
    FROZEN = "frozen"
    MIGRATING = "migrating"
    LOST = "lost"
    EXITED = "exited"


TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.STARTING: frozenset({JobState.RUNNING, JobState.EXITED, JobState.LOST}),
    JobState.RUNNING: frozenset(
        {JobState.STOPPED, JobState.FROZEN, JobState.MIGRATING, JobState.EXITED, JobState.LOST}
    ),
    JobState.STOPPED: frozenset(
        {JobState.RUNNING, JobState.FROZEN, JobState.MIGRATING, JobState.EXITED, JobState.LOST}
    ),
    JobState.FROZEN: frozenset(
        {JobState.RUNNING, JobState.STOPPED, JobState.MIGRATING, JobState.EXITED, JobState.LOST}
    ),
    JobState.MIGRATING: frozenset(
        {JobState.RUNNING, JobState.STOPPED, JobState.FROZEN, JobState.EXITED, JobState.LOST}
    ),
    JobState.LOST: frozenset({JobState.RUNNING, JobState.EXITED}),
    JobState.EXITED: frozenset(),
}
"""Every step that a job may take; any other is a bug and is refused."""


class Terminal(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A terminal that a job is to have: its size in character cells and its TERM."""

    rows: int = 24
    columns: int = 80
    term: str = "xterm-256color"


class JobSpec(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What to start, as the user asked for it.

    Attributes:
        argv: Program and arguments; the program is looked up in the job's PATH.
        cwd: Working directory; it must exist on the node.
        cwd_fallback: Whether the user's home directory serves where ``cwd`` does not exist.
        environment: Added to the login environment of the user there, or put in its place.
        terminal: Of an interactive job; None gives pipes.
        piped_stdin: With a terminal: stdin is a pipe nevertheless, which another job fills.
        detached: Runs without a client: stdin is empty and its output is kept as logs.
        log_limit_bytes: Of each output stream of a detached job.
        home: Name of the node whose user typed it.
        lease_s: A foreground job without a client for so long gets SIGHUP; 0: never.
        files: What it is to see of other nodes' files; None: nothing.
        name: What the user calls it, as Slurm's users do; empty for none.
    """

    argv: tuple[str, ...]
    cwd: str = ""
    cwd_fallback: bool = True
    environment: dict[str, str] = {}
    terminal: Terminal | None = None
    detached: bool = False
    log_limit_bytes: int = DEFAULT_LOG_LIMIT_BYTES
    home: str = ""
    lease_s: float = LEASE_S
    files: JobFiles | None = None
    piped_stdin: bool = False
    name: str = ""


class StreamSource(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which stream of which job is the stdin of a job.

    Attributes:
        gpid: First gpid of the job that writes.
        node: Where it was found last.
        settled: All has come that will ever come, or is wanted.
    """

    gpid: int
    stream: StreamName
    node: str
    settled: bool = False


class StreamReader(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which job's stdin a stream of a job is.

    Attributes:
        gpid: First gpid of the job that reads.
        node: Where it was found last.
        settled: It has all, or wants no more.
    """

    stream: StreamName
    gpid: int
    node: str
    settled: bool = False


class Whereabouts(msgspec.Struct, frozen=True, array_like=True):
    """What a node knows of where a job is.

    Attributes:
        gpid: First gpid of the job.
        epoch: Of the owner that it speaks of; whoever knows of a later one knows better.
        node: That owner; empty where the job has ended and is forgotten.
    """

    gpid: int
    epoch: int
    node: str


class JobRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A job as the node that has it sees it.

    Attributes:
        gpid: Its first gpid, which names it.
        start_ms: Wall-clock milliseconds of its birth; checked beside the gpid.
        exit_status: As a shell has it, 128 + N for signal N; None while it lives.
        killed_by: The signal that ended its first process; 0 for none.
        dumped_core: The kernel wrote a core file of that.
        piped_stdin: It has a terminal, and yet its stdin is a pipe.
        epoch: Counts the owners of the job, from 1: each move adds one.
        nodes: Where it has run, oldest first; the last is where it is.
        problem: Why it is lost, or in doubt.
        frozen: The cgroup freezer holds it, wherever it goes; its ``state`` is beside that.
        files: What it sees of other nodes' files; None: nothing.
        stdin_from: Where its stdin comes from; None: from whoever writes to it.
        readers: Who reads its stdout and stderr, where that is another job's stdin.
        name: What the user calls it; empty for none.
    """

    gpid: int
    node: str
    user: str
    argv: tuple[str, ...]
    cwd: str
    state: JobState
    start_ms: int
    detached: bool = False
    has_terminal: bool = False
    exit_status: int | None = None
    ended_ms: int | None = None
    epoch: int = 1
    nodes: tuple[str, ...] = ()
    home: str = ""
    processes: int = 0
    problem: str = ""
    frozen: bool = False
    files: JobFiles | None = None
    stdin_from: StreamSource | None = None
    readers: tuple[StreamReader, ...] = ()
    killed_by: int = 0
    dumped_core: bool = False
    piped_stdin: bool = False
    name: str = ""
