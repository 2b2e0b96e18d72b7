"""A process as the table of all nodes has it."""

from __future__ import annotations

from typing import NamedTuple

from ssi.model.process import ProcessRow
from ssi.view.columns import command_text
from ssi.view.text import plain

KTHREADD_PID = 2
"""The parent of all kernel threads of a machine."""


class Identity(NamedTuple):
    """What a process is, wherever it runs: its gpid and its birth."""

    gpid: int
    start_ms: int


class Entry(NamedTuple):
    """A process where it runs.

    Attributes:
        node: Name of the node that told of it.
        row: As that node sent it.
        cpu_percent: Between the last two looks, 100 being one core; over its lifetime before that.
        memory_percent: Of its node's memory.
        read_bytes_s: From disks, while that is asked for.
        written_bytes_s: To disks.
        gpu_percent: Of a GPU, while that is asked for; 100 being all of one.
        gpu_bytes: In GPUs.
    """

    node: str
    row: ProcessRow
    cpu_percent: float
    memory_percent: float
    read_bytes_s: float = 0.0
    written_bytes_s: float = 0.0
    gpu_percent: float = 0.0
    gpu_bytes: int = 0

    @property
    def identity(self) -> Identity:
        """What a signal or a move is addressed to."""
        return Identity(self.row.gpid, self.row.start_ms)


class Target(NamedTuple):
    """A process that something is to be done to, as it was when the person chose it.

    Attributes:
        job: First gpid of its job; 0 for none.
        name: For the person alone.
    """

    node: str
    gpid: int
    start_ms: int
    job: int
    user: str
    name: str


def target_of(entry: Entry) -> Target:
    """The process, pinned."""
    row = entry.row
    return Target(entry.node, row.gpid, row.start_ms, row.job, row.user, plain(row.name))


def is_kernel_thread(row: ProcessRow) -> bool:
    """Whether it is a thread of a node's kernel."""
    if row.job or row.command:
        return False
    parent_pid = row.parent_gpid % 10_000_000
    return KTHREADD_PID in {row.pid, parent_pid} and row.vsize_bytes == 0


def command_shown(row: ProcessRow, *, full_path: bool, merged: bool) -> str:
    """The command line, made plain; that of a thread begins with its name in braces.

    Args:
        row: Of the process.
        full_path: With the directory of the program.
        merged: With the name that the kernel has for it, where that is another.
    """
    text = command_text(row)
    if row.thread_of and not row.command:
        return plain(f"{{{row.name}}}")
    if row.command and not full_path:
        program = row.command[0]
        if program.startswith("/") and not program.endswith("/"):
            text = text[program.rindex("/") + 1 :]
    if row.thread_of:
        text = f"{{{row.name}}} {text}"  # as pstree(1) marks threads
    elif merged and row.command and row.name not in row.command[0]:
        text = f"{row.name}: {text}"
    return plain(text)
