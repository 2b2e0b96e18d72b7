"""``ssi free``: memory and swap of each node, and of all together."""

from __future__ import annotations

from typing import Annotated

import typer

from ssi.cli.missing import down_nodes, missing_notices
from ssi.cli.outcome import run_async
from ssi.cli.screen import Look, show, width_cells
from ssi.client.errors import PartialAnswer
from ssi.client.system import System
from ssi.view.jsonview import render_json
from ssi.view.memory import memory_objects, memory_of, render_memory


def free(
    nodes: Annotated[
        str | None,
        typer.Option("--nodes", "-n", metavar="NODES", help="Only these nodes: n1..3."),
    ] = None,
    exact: Annotated[bool, typer.Option("--bytes", "-b", help="Sizes in bytes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Leave out the titles.")] = False,
) -> None:
    """Show the memory of each node, and the sum."""

    async def look(system: System) -> int:
        rows = await system.select(nodes)
        down = down_nodes(rows)
        memories = memory_of([row for row in rows if row.name not in down])
        text = (
            render_json(memory_objects(memories))
            if as_json
            else render_memory(
                memories, exact=exact, width_cells=width_cells(), headers=not no_headers
            )
        )
        return show(
            Look(
                text=text,
                notices=missing_notices(down, "its memory is not counted"),
                exit_code=PartialAnswer.exit_code if down else 0,
            )
        )

    run_async(look)
