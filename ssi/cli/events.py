"""``ssi events``: who joined, was missed, refuted, died and left, in the one order of the mesh."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from ssi.cli.outcome import run_async
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.model.node import MeshEvent, NodeState
from ssi.protocol.system import EventList, ListEvents
from ssi.view.events import render_events
from ssi.view.jsonview import event_objects, render_json, render_json_line

EVERY_S: Final = 0.5
"""Between two looks with ``--follow``."""


def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they happen.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A list of objects; with -f an object on each line.")
    ] = False,
) -> None:
    """Show what happened to the nodes: joins, suspicions, refutations, deaths and leaves."""

    async def look(system: System) -> int:
        told = await _events(system)
        if not follow:
            sys.stdout.write(render_json(event_objects(told)) if as_json else render_events(told))
            return 0
        shown: set[tuple[str, str, int]] = set()
        while True:
            _write([event for event in told if _key(event) not in shown], as_json=as_json)
            shown = {_key(event) for event in told} | shown
            await asyncio.sleep(EVERY_S)
            told = await _events(system)

    run_async(look)


def _write(told: Sequence[MeshEvent], *, as_json: bool) -> None:
    for event in told:
        line = render_json_line(event_objects([event]))
        sys.stdout.write(f"{line.strip()[1:-1]}\n" if as_json else render_events([event]))
    sys.stdout.flush()


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
