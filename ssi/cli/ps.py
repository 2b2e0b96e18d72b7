"""``ssi ps``: the processes of all nodes, as ps(1) shows those of one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from ssi.cli.invocation import own_pids
from ssi.cli.missing import missing_notices
from ssi.cli.outcome import run_async
from ssi.cli.screen import DEFAULT_EVERY_S, Look, show, watch, width_cells
from ssi.client.connection import DEFAULT_TIMEOUT_S
from ssi.client.errors import PartialAnswer
from ssi.client.system import Answers, System
from ssi.model.node import NodeRow
from ssi.protocol.system import ListProcesses, ProcessList
from ssi.view.columns import (
    DEFAULT_COLUMNS,
    JOB_COLUMNS,
    Moment,
    Placed,
    ProcessColumn,
    parse_columns,
)
from ssi.view.jsonview import process_objects, render_json, render_json_line
from ssi.view.processes import render_processes, select_processes, sort_processes

NOTHING_FOUND = 1
"""Exit code when a pattern or user was asked for and no process fits, as of ps(1) and pgrep(1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for, checked."""

    pattern: str
    users: frozenset[str]
    nodes: str | None
    jobs: bool
    sort: str
    tree: bool
    columns: tuple[ProcessColumn, ...]
    as_json: bool
    watching: bool
    headers: bool
    timeout_s: float

    def arrange(self, placed: Sequence[Placed]) -> list[Placed]:
        """The processes that are asked for, in the order that is asked for.

        Raises:
            UsageError: The pattern or a key to sort by cannot be understood.
        """
        chosen = select_processes(placed, pattern=self.pattern, users=self.users)
        return sort_processes(chosen, self.sort)

    def text(self, placed: Sequence[Placed]) -> str:
        """The processes as a table or as JSON."""
        if self.as_json:
            objects = process_objects(placed)
            return render_json_line(objects) if self.watching else render_json(objects)
        return render_processes(
            placed,
            self.columns,
            Moment(now_s=time.time()),
            width_cells=width_cells(),
            headers=self.headers,
            tree=self.tree,
        )


def ps(
    pattern: Annotated[
        str,
        typer.Argument(help="Only processes with this regular expression in their command line."),
    ] = "",
    users: Annotated[
        str, typer.Option("--user", "-u", metavar="USERS", help="Only of these users: ada,root.")
    ] = "",
    nodes: Annotated[
        str | None,
        typer.Option("--nodes", "-n", metavar="NODES", help="Only on these nodes: n1..3."),
    ] = None,
    jobs: Annotated[
        bool, typer.Option("--jobs", "-j", help="Only processes of jobs, with their job.")
    ] = False,
    sort: Annotated[
        str, typer.Option(metavar="KEYS", help="Order by columns, - for descending: -%cpu,rss.")
    ] = "",
    tree: Annotated[
        bool, typer.Option("--tree", "--forest", help="Draw who started whom.")
    ] = False,
    columns: Annotated[
        str, typer.Option("-o", "--columns", metavar="COLUMNS", help="As for ps: gpid,node,args.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
    watching: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again.")] = False,
    every_s: Annotated[
        float, typer.Option("--every", min=0.1, metavar="SECONDS", help="Between two looks.")
    ] = DEFAULT_EVERY_S,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Leave out the titles.")] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Wait for a node.")
    ] = DEFAULT_TIMEOUT_S,
) -> None:
    """Show the processes of all nodes."""
    titles = JOB_COLUMNS if jobs else DEFAULT_COLUMNS
    wanted = Wanted(
        pattern=pattern,
        users=frozenset(filter(None, users.split(","))),
        nodes=nodes,
        jobs=jobs,
        sort=sort,
        tree=tree,
        columns=tuple(parse_columns(columns or titles)),
        as_json=as_json,
        watching=watching,
        headers=not no_headers,
        timeout_s=timeout_s,
    )
    wanted.arrange([])  # what cannot be understood fails before anybody is asked
    run_async(lambda system: _ps(system, wanted, every_s))


async def _ps(system: System, wanted: Wanted, every_s: float) -> int:
    if wanted.watching:
        return await watch(lambda: _look(system, wanted), every_s, draws=not wanted.as_json)
    return show(await _look(system, wanted))


async def _look(system: System, wanted: Wanted) -> Look:
    rows = await system.select(wanted.nodes)
    answers = await system.gather(
        ListProcesses(jobs=wanted.jobs), ProcessList, rows, wanted.timeout_s
    )
    placed = wanted.arrange(_placed(rows, answers, skip_own=bool(wanted.pattern)))
    exit_code = 0
    if answers.failures:
        exit_code = PartialAnswer.exit_code
    elif not placed and (wanted.pattern or wanted.users):
        exit_code = NOTHING_FOUND
    return Look(
        text=wanted.text(placed),
        notices=missing_notices(answers.failures, "its processes are not shown"),
        exit_code=exit_code,
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
            Placed(node.name, row, memory_bytes) for row in reply.rows if row.pid not in skipped
        ]
    return placed
