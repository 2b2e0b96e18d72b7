"""``ssi uptime``: since when each node is up and how busy it is, and all together."""

from __future__ import annotations

from ssi.cli.missing import down_nodes
from ssi.cli.options import NodesOption
from ssi.cli.output import Output, Seen, shows
from ssi.client.system import System
from ssi.view.uptime import uptime_listing, uptimes_of


@shows
def uptime(output: Output, nodes: NodesOption = None) -> None:
    """Show how long each node is up, its load, and the sum."""

    async def take(system: System) -> Seen:
        rows = await system.select(nodes)
        down = down_nodes(rows)
        uptimes = uptimes_of([row for row in rows if row.name not in down])
        return Seen(
            listed=uptime_listing(uptimes), failures=down, missing="its load is not counted"
        )

    output.present(uptime_listing([]), take)
