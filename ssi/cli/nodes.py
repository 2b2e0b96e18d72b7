"""``ssi nodes``: the machines of the system, how each fares, and how old that knowledge is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from ssi.cli.outcome import run_async
from ssi.cli.screen import DEFAULT_EVERY_S, Look, show, watch, width_cells
from ssi.client.system import System
from ssi.model.node import NodeRow
from ssi.view.jsonview import node_objects, render_json, render_json_line
from ssi.view.nodes import render_nodes


def nodes(
    only: Annotated[
        str | None, typer.Argument(metavar="[NODES]", help="Only these nodes: n1..3.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
    watching: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again.")] = False,
    every_s: Annotated[
        float, typer.Option("--every", min=0.1, metavar="SECONDS", help="Between two looks.")
    ] = DEFAULT_EVERY_S,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Leave out the titles.")] = False,
) -> None:
    """Show the nodes with their state, load, memory, and the age of each row."""

    def text(rows: Sequence[NodeRow]) -> str:
        if as_json:
            objects = node_objects(rows)
            return render_json_line(objects) if watching else render_json(objects)
        return render_nodes(rows, width_cells=width_cells(), headers=not no_headers)

    async def take(system: System) -> Look:
        return Look(text=text(await system.select(only)))

    async def look(system: System) -> int:
        if watching:
            return await watch(lambda: take(system), every_s, draws=not as_json)
        return show(await take(system))

    run_async(look)
