"""``ssi ps``: the processes of all nodes, as ps(1) shows those of one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from ssi.cli.invocation import own_pids
from ssi.cli.options import NodesOption
from ssi.cli.output import Output, Seen, shows
from ssi.client.listings import list_processes
from ssi.client.system import Answers, System
from ssi.model.node import NodeRow
from ssi.protocol.system import ListProcesses, ProcessList
from ssi.view.columns import DEFAULT_COLUMNS, JOB_COLUMNS, THREAD_COLUMNS, Moment, Placed
from ssi.view.processes import ProcessListing, select_processes
from ssi.view.threads import with_commands

NOTHING_FOUND = 1
"""Exit code when a pattern or user was asked for and no process fits, as of ps(1) and pgrep(1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which processes the command line asks for."""

    pattern: str
    users: frozenset[str]
    nodes: str | None
    jobs: bool
    threads: bool
    tree: bool

    @property
    def columns(self) -> str:
        """Those that are shown where none are asked for."""
        if self.threads:
            return THREAD_COLUMNS
        return JOB_COLUMNS if self.jobs else DEFAULT_COLUMNS

    def listing(self, placed: Sequence[Placed]) -> ProcessListing:
        """Those of them that are asked for.

        Raises:
            UsageError: The pattern cannot be understood.
        """
        return ProcessListing(
            placed=select_processes(placed, pattern=self.pattern, users=self.users),
            columns=self.columns,
            moment=Moment(now_s=time.time()),
            tree=self.tree,
        )


@shows
def ps(
    output: Output,
    pattern: Annotated[
        str,
        typer.Argument(help="Only processes with this regular expression in their command line."),
    ] = "",
    users: Annotated[
        str, typer.Option("--user", "-u", metavar="USERS", help="Only of these users: ada,root.")
    ] = "",
    nodes: NodesOption = None,
    jobs: Annotated[
        bool, typer.Option("--jobs", "-j", help="Only processes of jobs, with their job.")
    ] = False,
    threads: Annotated[
        bool, typer.Option("--threads", "-L", help="Also the threads of each process.")
    ] = False,
    tree: Annotated[
        bool, typer.Option("--tree", "--forest", help="Draw who started whom.")
    ] = False,
    columns: Annotated[
        str, typer.Option("--columns", metavar="COLUMNS", help="As -o, of columns only.")
    ] = "",
) -> None:
    """Show the processes of all nodes."""
    wanted = Wanted(
        pattern=pattern,
        users=frozenset(filter(None, users.split(","))),
        nodes=nodes,
        jobs=jobs,
        threads=threads,
        tree=tree,
    )
    if columns:
        output = replace(output, columns=columns)
    output.present(wanted.listing([]), lambda system: _look(system, wanted))


async def _look(system: System, wanted: Wanted) -> Seen:
    rows = await system.select(wanted.nodes)
    request = ListProcesses(jobs=wanted.jobs, threads=wanted.threads)
    answers = await list_processes(system, request, rows)
    listing = wanted.listing(_placed(rows, answers, skip_own=bool(wanted.pattern)))
    found = listing.placed or not (wanted.pattern or wanted.users)
    return Seen(
        listed=listing,
        failures=answers.failures,
        missing="its processes are not shown",
        exit_code=0 if found else NOTHING_FOUND,
    )


def _placed(
    rows: Sequence[NodeRow], answers: Answers[ProcessList], *, skip_own: bool
) -> list[Placed]:
    """All processes in the order of the nodes, without this very command where it would disturb."""
    placed = []
    for node in rows:
        reply = answers.replies.get(node.name)
        if reply is None:
            continue
        memory_bytes = node.metrics.memory_total_bytes if node.metrics is not None else 0
        is_here = node.rtt_ms == 0  # the node whose agent was asked
        skipped = own_pids() if skip_own and is_here else frozenset[int]()
        placed += [
            Placed(node.name, row, memory_bytes)
            for row in with_commands(reply.rows)
            if row.pid not in skipped
        ]
    return placed
