"""``ssi nodes``: the machines of the system, how each fares, and how old that knowledge is."""

from __future__ import annotations

from ssi.cli.options import NodesArgument, set_of
from ssi.cli.output import Output, Seen, shows
from ssi.client.system import System
from ssi.view.nodes import node_listing


@shows
def nodes(output: Output, only: NodesArgument = None) -> None:
    """Show the nodes with their state, load, memory, and the age of each row."""

    async def take(system: System) -> Seen:
        return Seen(listed=node_listing(await system.select(set_of(only))))

    output.present(node_listing([]), take)
