"""``ssi uptime``: since when each node is up and how busy it is, and all together."""

from __future__ import annotations

from typing import Annotated

import typer

from ssi.cli.missing import down_nodes, missing_notices
from ssi.cli.outcome import run_async
from ssi.cli.screen import Look, show, width_cells
from ssi.client.errors import PartialAnswer
from ssi.client.system import System
from ssi.view.jsonview import render_json
from ssi.view.uptime import render_uptimes, uptime_objects, uptimes_of


def uptime(
    nodes: Annotated[
        str | None,
        typer.Option("--nodes", "-n", metavar="NODES", help="Only these nodes: n1..3."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Leave out the titles.")] = False,
) -> None:
    """Show how long each node is up, its load, and the sum."""

    async def look(system: System) -> int:
        rows = await system.select(nodes)
        down = down_nodes(rows)
        uptimes = uptimes_of([row for row in rows if row.name not in down])
        text = (
            render_json(uptime_objects(uptimes))
            if as_json
            else render_uptimes(uptimes, width_cells=width_cells(), headers=not no_headers)
        )
        return show(
            Look(
                text=text,
                notices=missing_notices(down, "its load is not counted"),
                exit_code=PartialAnswer.exit_code if down else 0,
            )
        )

    run_async(look)
