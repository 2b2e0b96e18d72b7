"""``ssi events``: who joined, was missed, refuted, died and left, in the one order of the mesh."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

import typer

from ssi.cli.outcome import run_async
from ssi.cli.output import Output, Seen, shows
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.model.node import MeshEvent, NodeState
from ssi.protocol.system import EventList, ListEvents
from ssi.view.events import event_listing
from ssi.view.listing import Format

EVERY_S: Final = 0.5
"""Between two looks with ``--follow``."""


@shows
def events(
    output: Output,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as they happen, as --watch does.")
    ] = False,
) -> None:
    """Show what happened to the nodes: joins, suspicions, refutations, deaths and leaves."""
    if follow or output.watching:
        run_async(lambda system: _follow(system, output), limited=False)

    async def take(system: System) -> Seen:
        return Seen(listed=event_listing(await _events(system)))

    output.present(event_listing([]), take)


async def _follow(system: System, output: Output) -> int:
    """Shows each event once; a line for each in every format."""
    if output.format is Format.JSON:
        output = replace(output, format=Format.JSONL)
    shown: set[tuple[str, str, int]] = set()
    while True:
        told = await _events(system)
        new = [event for event in told if _key(event) not in shown]
        if new:
            sys.stdout.write(output.text(event_listing(new)))
            sys.stdout.flush()
            output = replace(output, headers=False)
        shown |= {_key(event) for event in told}
        await asyncio.sleep(EVERY_S)


def _key(event: MeshEvent) -> tuple[str, str, int]:
    """What makes an event itself: its stamp may still be put right by who saw it earlier."""
    return event.node, event.kind, event.incarnation


async def _events(system: System) -> Sequence[MeshEvent]:
    """What a member knows; a client-mode agent itself only looks on.

    Raises:
        SsiError: No node could be asked, and this agent not either.
    """
    for row in (await system.nodes()).rows:
        if row.state is NodeState.ALIVE:
            try:
                reply = await system.ask(ListEvents(), EventList, node=row.name, timeout_s=2.0)
            except SsiError:
                continue  # the next one knows as much
            return reply.rows
    return (await system.ask(ListEvents(), EventList)).rows
