"""What ``srun`` and ``sbatch`` take, as Slurm writes it, and the nodes that it leads to."""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Annotated, Final

import typer

from ssi.client.errors import NoNodeFits
from ssi.client.nodegroups import expand_among
from ssi.client.system import System
from ssi.model.errors import UsageError
from ssi.model.node import NodeRow
from ssi.model.nodeset import fold
from ssi.policy.allocation import Demand, Share, allocate
from ssi.policy.placement import Wish, place

Tasks = Annotated[
    int | None, typer.Option("--ntasks", "-n", min=1, metavar="N", help="So many processes.")
]
NodeCount = Annotated[
    int | None, typer.Option("--nodes", "-N", min=1, metavar="N", help="On so many nodes.")
]
Cores = Annotated[
    int | None,
    typer.Option("--cpus-per-task", "-c", min=1, metavar="N", help="Cores of each process."),
]
Memory = Annotated[
    str | None,
    typer.Option("--mem", metavar="SIZE", help="Available on each node: 512M, 4G; M if plain."),
]
Gres = Annotated[
    str | None, typer.Option("--gres", metavar="gpu:N", help="GPUs that each node must have.")
]
NodeList = Annotated[
    str | None, typer.Option("--nodelist", "-w", metavar="NODES", help="On these nodes.")
]
Exclude = Annotated[
    str | None, typer.Option("--exclude", "-x", metavar="NODES", help="On none of these.")
]
Name = Annotated[
    str | None, typer.Option("--job-name", "-J", help="What squeue and SLURM_JOB_NAME call it.")
]
OutFile = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="For stdout, and stderr without -e."),
]
ErrorFile = Annotated[str | None, typer.Option("--error", "-e", metavar="FILE", help="For stderr.")]

_UNITS: Final = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_MEMORY: Final = re.compile(r"(\d+)([KMGT]?)B?", re.IGNORECASE)
_GPUS: Final = re.compile(r"gpu(?::[A-Za-z][\w-]*)?(?::(\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for.

    Attributes:
        among: Node set; None for any node.
        without: Node set; None for no node.
    """

    demand: Demand
    among: str | None = None
    without: str | None = None
    name: str = ""

    async def shares(self, system: System) -> list[Share]:
        """The nodes that get the tasks, and how many each.

        Raises:
            NoNodeFits: There are not enough, as they are now.
            NodesetInvalid: A node set cannot be read.
            NodeUnknown: It names a node that there is not.
        """
        rows = list((await system.nodes()).rows)
        demand = self.demand
        if self.among is not None:
            named = expand_among(self.among, rows)
            rows = [row for row in rows if row.name in named]
            if demand.nodes is None:
                demand = replace(demand, nodes=len(rows), tasks=demand.tasks or len(rows))
        if self.without is not None:
            left_out = expand_among(self.without, rows)
            rows = [row for row in rows if row.name not in left_out]
        found = allocate(_best_first(rows), demand)
        if found.refusal:
            raise NoNodeFits(detail=found.refusal)
        return list(found.shares)

    def environment(self, shares: Sequence[Share]) -> dict[str, str]:
        """What Slurm tells a job of itself, as far as it holds here. Source: srun(1)."""
        return {
            "SLURM_JOB_NAME": self.name,
            "SLURM_JOB_USER": getpass.getuser(),
            "SLURM_NTASKS": str(sum(share.tasks for share in shares)),
            "SLURM_NNODES": str(len(shares)),
            "SLURM_JOB_NODELIST": fold(share.node for share in shares),
            "SLURM_CPUS_PER_TASK": str(self.demand.cores),
        }


def wanted(
    *,
    tasks: int | None,
    nodes: int | None,
    cores: int | None,
    memory: str | None,
    gres: str | None,
    among: str | None,
    without: str | None,
    name: str,
) -> Wanted:
    """What the options say.

    Raises:
        UsageError: A size or a resource cannot be read.
    """
    demand = Demand(
        tasks=tasks,
        nodes=nodes,
        cores=cores or 1,
        memory_bytes=_bytes_of(memory) if memory else 0,
        gpus=_gpus_of(gres) if gres else 0,
    )
    return Wanted(demand=demand, among=among, without=without, name=name)


def _best_first(rows: Sequence[NodeRow]) -> list[NodeRow]:
    """Those that can be taken, as ``ssi run`` would take them."""
    placed = place(rows, Wish(), Random())  # noqa: S311 - spreads askers, guards nothing
    by_name = {row.name: row for row in rows}
    return [by_name[suggestion.node] for suggestion in placed.suggestions]


def _bytes_of(text: str) -> int:
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise UsageError(text=f"--mem {text!r} is no size", hint="write 512M or 4G")
    return int(match[1]) * _UNITS[match[2].upper() or "M"]


def _gpus_of(text: str) -> int:
    match = _GPUS.fullmatch(text)
    if match is None:
        raise UsageError(text=f"--gres {text!r}: ssi knows GPUs only", hint="write --gres=gpu:1")
    return int(match[1] or 1)
