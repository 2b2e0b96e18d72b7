"""Which nodes a placement names now."""

from __future__ import annotations

from shell.language.need import fitting
from shell.language.placement import Kind, Placement
from ssi.client.errors import NoNodeFits
from ssi.client.system import System, why_dead
from ssi.model.node import NodeState


async def nodes_of(system: System, placement: Placement | None, here: str) -> tuple[str, ...]:
    """The nodes, one or many; of a need, or of a group that is named alone, the one that suits.

    Raises:
        NoNodeFits: None has what is needed.
        SsiError: A name or a set cannot be read, or the node is believed dead.
    """
    if placement is None or placement.kind is Kind.HERE:
        return (here,)
    rows = (await system.nodes()).rows
    match placement.kind:
        case Kind.AUTO:
            return ((await system.place(rows)).node,)
        case Kind.NEED:
            able = fitting(placement.text, rows)
            if not able:
                raise NoNodeFits(detail=f"none of them has {placement.text}")
            return ((await system.place(able)).node,)
    if placement.text == "gpu" and "gpu" not in {row.name for row in rows}:
        able = [row for row in rows if row.metrics is not None and row.metrics.gpus]
        if not able:
            raise NoNodeFits(detail="none of them has a GPU")
        return ((await system.place(able)).node,)
    chosen = await system.select(placement.text)
    if not placement.may_be_many:
        for row in chosen:
            if row.state in {NodeState.DEAD, NodeState.LEFT}:
                raise why_dead(row)
    return tuple(row.name for row in chosen)
