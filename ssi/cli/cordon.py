"""``ssi cordon``, ``ssi uncordon``: whether placement passes nodes over."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Final

import typer

from ssi.cli.exits import highest
from ssi.cli.options import set_of
from ssi.cli.outcome import complain_all, note, run_async
from ssi.cli.output import Output, tells
from ssi.client.system import System
from ssi.protocol.message import Done
from ssi.protocol.system import CordonNode
from ssi.view.complaints import folded_lines
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Report

SEEN_WITHIN_S: Final = 10.0
"""Metrics come with each probe: a second apart, or eight where this machine is overloaded."""

NodeArguments = Annotated[
    list[str], typer.Argument(metavar="NODES...", help="For instance n1 or n1..3.")
]


@tells
def cordon(output: Output, nodes: NodeArguments) -> None:
    """Place nothing on nodes any more unless they are named; what runs there runs on."""
    _set(output, nodes, cordoned=True)


@tells
def uncordon(output: Output, nodes: NodeArguments) -> None:
    """Let placement take nodes again."""
    _set(output, nodes, cordoned=False)


def _set(output: Output, nodes: list[str], *, cordoned: bool) -> None:
    async def body(system: System) -> int:
        rows = await system.select(set_of(nodes))
        answers = await system.gather(CordonNode(cordoned=cordoned), Done, rows)
        if not await _until_seen(system, set(answers.replies), cordoned=cordoned):
            note("the agent here has not heard of it yet: placement may not heed it at once")
        names = list(answers.replies)
        word = "cordoned" if cordoned else "uncordoned"
        lines = [f"{name} {word}" for name in names]
        results: list[JsonObject] = [{"node": name, "cordoned": cordoned} for name in names]
        output.write(Report(lines=lines, results=results, named=names))
        complain_all(folded_lines(answers.failures))
        return highest(error.exit_code for error in answers.failures.values())

    run_async(body)


async def _until_seen(system: System, names: set[str], *, cordoned: bool) -> bool:
    """Waits for the agent at the door to know, so that the next `ssi run` from here heeds it.

    Whether it does by now. Of a node that has told nothing of itself there is nothing to unlearn.
    """
    give_up_at_s = time.monotonic() + SEEN_WITHIN_S
    while time.monotonic() < give_up_at_s:
        rows = [row for row in (await system.nodes()).rows if row.name in names]
        told = [row.metrics for row in rows if row.metrics is not None]
        if all(metrics.cordoned is cordoned for metrics in told):
            return True
        await asyncio.sleep(0.05)
    return False
