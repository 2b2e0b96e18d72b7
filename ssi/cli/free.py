"""``ssi free``: memory and swap of each node, and of all together."""

from __future__ import annotations

from typing import Annotated

import typer

from ssi.cli.missing import down_nodes
from ssi.cli.options import NodesOption
from ssi.cli.output import Output, Seen, shows
from ssi.client.system import System
from ssi.view.memory import memory_listing, memory_of


@shows
def free(
    output: Output,
    nodes: NodesOption = None,
    exact: Annotated[bool, typer.Option("--bytes", "-b", help="Sizes in bytes.")] = False,
) -> None:
    """Show the memory of each node, and the sum."""

    async def take(system: System) -> Seen:
        rows = await system.select(nodes)
        down = down_nodes(rows)
        memories = memory_of([row for row in rows if row.name not in down])
        return Seen(
            listed=memory_listing(memories, exact=exact),
            failures=down,
            missing="its memory is not counted",
        )

    output.present(memory_listing([]), take)
