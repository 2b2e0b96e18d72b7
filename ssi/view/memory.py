"""Memory and swap of each node and of all together, as free(1) shows one machine's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ssi.model.node import NodeRow
from ssi.view.jsonview import JsonObject
from ssi.view.quantity import size
from ssi.view.table import Column, render_table

ALL: Final = "all"
"""Name of the line that sums the others up."""

_COLUMNS: Final = (
    Column(title="NODE"),
    *(
        Column(title=title, right=True)
        for title in ("TOTAL", "USED", "AVAILABLE", "SWAP", "SWAP-USED", "SWAP-FREE")
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How much memory a node has, or all of them."""

    node: str
    total_bytes: int
    available_bytes: int
    swap_total_bytes: int
    swap_free_bytes: int

    @property
    def used_bytes(self) -> int:
        """What programs cannot get, as free(1) since 4.0 has it."""
        return self.total_bytes - self.available_bytes


def memory_of(rows: Sequence[NodeRow]) -> list[Memory]:
    """The memory of each node that told of it."""
    return [
        Memory(
            node=row.name,
            total_bytes=row.metrics.memory_total_bytes,
            available_bytes=row.metrics.memory_available_bytes,
            swap_total_bytes=row.metrics.swap_total_bytes,
            swap_free_bytes=row.metrics.swap_free_bytes,
        )
        for row in rows
        if row.metrics is not None
    ]


def memory_sum(memories: Sequence[Memory]) -> Memory:
    """All together, under the name ``all``."""
    return Memory(
        node=ALL,
        total_bytes=sum(m.total_bytes for m in memories),
        available_bytes=sum(m.available_bytes for m in memories),
        swap_total_bytes=sum(m.swap_total_bytes for m in memories),
        swap_free_bytes=sum(m.swap_free_bytes for m in memories),
    )


def render_memory(
    memories: Sequence[Memory],
    *,
    exact: bool = False,
    width_cells: int | None = None,
    headers: bool = True,
) -> str:
    """A line for each, and the sum below; in bytes where ``exact``."""
    show: Callable[[int], str] = str if exact else size
    cells = [
        (
            m.node,
            show(m.total_bytes),
            show(m.used_bytes),
            show(m.available_bytes),
            show(m.swap_total_bytes),
            show(m.swap_total_bytes - m.swap_free_bytes),
            show(m.swap_free_bytes),
        )
        for m in (*memories, memory_sum(memories))
    ]
    return render_table(_COLUMNS, cells, width_cells=width_cells, headers=headers)


def memory_objects(memories: Sequence[Memory]) -> list[JsonObject]:
    """As ``ssi free --json`` shows them: each node, then the sum under ``all``."""
    return [
        {
            "node": m.node,
            "total_bytes": m.total_bytes,
            "used_bytes": m.used_bytes,
            "available_bytes": m.available_bytes,
            "swap_total_bytes": m.swap_total_bytes,
            "swap_free_bytes": m.swap_free_bytes,
        }
        for m in (*memories, memory_sum(memories))
    ]
