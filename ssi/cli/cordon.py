"""``ssi cordon``, ``ssi uncordon``: whether placement passes nodes over."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Final

import typer

from ssi.cli.outcome import complain, run_async
from ssi.client.system import System
from ssi.protocol.message import Done
from ssi.protocol.system import CordonNode

SEEN_WITHIN_S: Final = 3.0
"""Metrics come with each probe, a second apart; a slower node is not waited for."""

NodeArgument = Annotated[str, typer.Argument(metavar="NODES", help="For instance n1 or n1..3.")]


def cordon(nodes: NodeArgument) -> None:
    """Place nothing on nodes any more unless they are named; what runs there runs on."""
    _set(nodes, cordoned=True)


def uncordon(nodes: NodeArgument) -> None:
    """Let placement take nodes again."""
    _set(nodes, cordoned=False)


def _set(nodes: str, *, cordoned: bool) -> None:
    async def body(system: System) -> int:
        rows = await system.select(nodes)
        answers = await system.gather(CordonNode(cordoned=cordoned), Done, rows)
        await _until_seen(system, set(answers.replies), cordoned=cordoned)
        for name in answers.replies:
            print(f"{name} {'cordoned' if cordoned else 'uncordoned'}")
        for error in answers.failures.values():
            complain(error)
        return max((error.exit_code for error in answers.failures.values()), default=0)

    run_async(body)


async def _until_seen(system: System, names: set[str], *, cordoned: bool) -> None:
    """Waits for the agent at the door to know, so that the next `ssi run` from here heeds it."""
    give_up_at_s = time.monotonic() + SEEN_WITHIN_S
    while time.monotonic() < give_up_at_s:
        rows = [row for row in (await system.nodes()).rows if row.name in names]
        if all(row.metrics is not None and row.metrics.cordoned is cordoned for row in rows):
            return
        await asyncio.sleep(0.05)
