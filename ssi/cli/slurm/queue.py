"""``squeue``, ``scancel`` and ``sinfo``: jobs and nodes as Slurm's users look at them."""

from __future__ import annotations

import getpass
import time
from typing import Annotated

import typer

from ssi.cli.gpids import parse_gpids
from ssi.cli.outcome import run_async
from ssi.cli.output import Output, Seen, shows_where_w_is_taken
from ssi.cli.signals import parse_signal, signal_each
from ssi.cli.slurm.options import NodeList
from ssi.client.listings import list_jobs
from ssi.client.system import Answers, System
from ssi.model.errors import UsageError
from ssi.model.job import JobRow, JobState
from ssi.protocol.system import JobList
from ssi.view.slurm import partition_listing, queue_listing

Users = Annotated[
    str | None, typer.Option("--user", "-u", metavar="USERS", help="Only of these: ada,root.")
]
Mine = Annotated[bool, typer.Option("--me", help="Only your own.")]


@shows_where_w_is_taken
def squeue(
    output: Output,
    users: Users = None,
    mine: Mine = False,
    among: NodeList = None,
    jobs: Annotated[
        str | None, typer.Option("--jobs", "-j", metavar="JOBS", help="Only these: 1,2.")
    ] = None,
) -> None:
    """Show the jobs that live, as Slurm's squeue does. None of them waits."""
    wanted = {str(gpid) for gpid in parse_gpids(jobs.split(","))} if jobs else None

    async def take(system: System) -> Seen:
        answers = await _jobs(system, among)
        rows = [
            row
            for row in _living(answers, _owners(users, mine=mine))
            if wanted is None or str(row.gpid) in wanted
        ]
        return Seen(
            listed=queue_listing(rows, now_ms=time.time() * 1000),
            failures=answers.failures,
            missing="its jobs are not shown",
        )

    output.present(queue_listing([], now_ms=0.0), take)


def scancel(
    gpids: Annotated[
        list[str] | None, typer.Argument(metavar="[JOB]...", help="As squeue shows.")
    ] = None,
    users: Users = None,
    mine: Mine = False,
    among: NodeList = None,
    name: Annotated[
        str, typer.Option("--signal", "-s", help="Name or number of the signal.")
    ] = "TERM",
) -> None:
    """End jobs, as Slurm's scancel does: those that are named, or all of users or nodes."""
    if not (gpids or users or mine or among):
        raise UsageError(text="no job is named", hint="ssi scancel JOB..., or --me, -u, -w")
    number = parse_signal(name)
    named = parse_gpids(gpids) if gpids else []

    async def body(system: System) -> int:
        chosen = named
        if users or mine or among:
            rows = _living(await _jobs(system, among), _owners(users, mine=mine))
            listed = [row.gpid for row in rows]
            chosen = (
                [gpid for gpid in named if gpid in listed]
                if named
                else parse_gpids([str(gpid) for gpid in listed])
            )

        return await signal_each(system, chosen, number)

    run_async(body)


@shows_where_w_is_taken
def sinfo(output: Output, among: NodeList = None) -> None:
    """Show the nodes by their condition, as Slurm's sinfo does."""

    async def take(system: System) -> Seen:
        return Seen(listed=partition_listing(await system.select(among)))

    output.present(partition_listing([]), take)


async def _jobs(system: System, among: str | None) -> Answers[JobList]:
    return await list_jobs(system, await system.select(among))


def _living(answers: Answers[JobList], owners: set[str] | None) -> list[JobRow]:
    """Jobs that have not ended, the oldest first, of these users or of all."""
    rows = [row for reply in answers.replies.values() for row in reply.rows]
    living = [row for row in rows if row.state not in {JobState.EXITED, JobState.LOST}]
    mine = [row for row in living if owners is None or row.user in owners]
    return sorted(mine, key=lambda row: row.start_ms)


def _owners(users: str | None, *, mine: bool) -> set[str] | None:
    names = set(users.split(",")) if users else set()
    names |= {getpass.getuser()} if mine else set()
    return names or None
