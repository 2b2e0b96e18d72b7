"""``ssi srun``: processes on one or several nodes, and their output here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from ssi.cli.fleet import Plan, run_on_many
from ssi.cli.foreground import hold
from ssi.cli.outcome import note, run_async
from ssi.cli.output import Output
from ssi.cli.runoptions import FANOUT
from ssi.cli.settings import settings
from ssi.cli.slurm.options import (
    Cores,
    ErrorFile,
    Exclude,
    Gres,
    Memory,
    Name,
    NodeCount,
    NodeList,
    OutFile,
    Tasks,
    Wanted,
    wanted,
)
from ssi.client.escape import parse_escape
from ssi.client.fleet import Orders
from ssi.client.jobs import JobHandle
from ssi.client.sight import usual_sight, with_files
from ssi.client.system import System
from ssi.client.terminal import terminal_of
from ssi.client.viewer import View
from ssi.model.errors import UsageError
from ssi.model.job import JobSpec
from ssi.policy.allocation import Share

TASKS: Final = """
first=$1 count=$2; shift 2
export SLURM_PROCID SLURM_LOCALID=0
while [ $SLURM_LOCALID -lt $count ]; do
    SLURM_PROCID=$((first + SLURM_LOCALID))
    "$@" &
    pids="$pids $!"
    SLURM_LOCALID=$((SLURM_LOCALID + 1))
done
highest=0
for pid in $pids; do
    wait $pid
    status=$?
    [ $status -le $highest ] || highest=$status
done
exit $highest
"""
"""Runs the tasks of one node, and ends with the highest of their statuses."""


def srun(
    command: Annotated[list[str], typer.Argument(metavar="CMD [ARGS]...", help="What to run.")],
    tasks: Tasks = None,
    nodes: NodeCount = None,
    cores: Cores = None,
    memory: Memory = None,
    gres: Gres = None,
    among: NodeList = None,
    without: Exclude = None,
    name: Name = None,
    out: OutFile = None,
    error: ErrorFile = None,
    label: Annotated[
        bool, typer.Option("--label", "-l", help="The node before each line, also of one node.")
    ] = False,
    pty: Annotated[bool, typer.Option("--pty", help="Give it a terminal: one task only.")] = False,
) -> None:
    """Run processes on nodes, as Slurm's srun does; there is no queue, and nothing is reserved.

    Output of several nodes has the node before each line. Cores, memory and GPUs are what a node
    must have to be taken; nobody is kept from using them.
    """
    asked = wanted(
        tasks=tasks,
        nodes=nodes,
        cores=cores,
        memory=memory,
        gres=gres,
        among=among,
        without=without,
        name=name or Path(command[0]).name,
    )
    if pty and (asked.demand.all_tasks > 1 or out or error):
        raise UsageError(text="--pty is for one task, and not for files", hint="leave it out")
    _redirect(out, error)
    run_async(
        lambda system: _run(system, asked, command, label=label, pty=pty), runs=True, limited=False
    )


async def _run(
    system: System, asked: Wanted, command: Sequence[str], *, label: bool, pty: bool
) -> int:
    shares = {share.node: share for share in await asked.shares(system)}
    environment = asked.environment([*shares.values()])
    sight = usual_sight()

    async def prepare(node: str) -> JobSpec:
        spec = spec_of(command, shares[node], environment)
        if pty:
            spec = msgspec.structs.replace(spec, terminal=terminal_of())
        return await with_files(system, node, spec, sight, note)

    if len(shares) > 1 or label:
        rows = [row for row in (await system.nodes()).rows if row.name in shares]
        plan = Plan(output=Output(), orders=Orders(fanout=FANOUT, limit_s=settings().timeout_s))
        return await run_on_many(system, rows, prepare, plan)
    [node] = shares
    job = await JobHandle.start(system, node, await prepare(node))
    return await hold(job, View(escape=parse_escape("~")))


def spec_of(command: Sequence[str], share: Share, environment: dict[str, str]) -> JobSpec:
    """The job of one node. A single task is started as it is."""
    counted = ["sh", "-c", TASKS, "srun", str(share.first), str(share.tasks), *command]
    own = {"SLURM_PROCID": str(share.first), "SLURM_LOCALID": "0"}
    return JobSpec(
        argv=tuple(command if share.tasks == 1 else counted),
        cwd=os.getcwd(),  # noqa: PTH109 - what the user's shell calls it
        cwd_fallback=True,
        environment={**environment, **own},
        name=environment.get("SLURM_JOB_NAME", ""),
    )


def _redirect(out: str | None, error: str | None) -> None:
    """Puts files of this machine in the place of this process's stdout and stderr, as srun does.

    Raises:
        UsageError: One of them cannot be written.
    """
    for path, descriptors in ((out, (1,) if error else (1, 2)), (error, (2,))):
        if path is None:
            continue
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        except OSError as exc:
            raise UsageError(text=f"{path} cannot be written: {exc.strerror}") from exc
        for descriptor in descriptors:
            os.dup2(file, descriptor)
        os.close(file)
