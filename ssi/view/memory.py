"""Memory and swap of each node and of all together, as free(1) shows one machine's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ssi.model.node import NodeRow
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Listing
from ssi.view.quantity import size

ALL: Final = "all"
"""Name of the line that sums the others up."""


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


def memory_listing(memories: Sequence[Memory], *, exact: bool = False) -> Listing[Memory]:
    """A line for each, and the sum below; in bytes where ``exact``."""
    show: Callable[[int], str] = str if exact else size

    def field(name: str, value: Callable[[Memory], int]) -> Field[Memory]:
        return Field(name=name, cell=lambda m: show(value(m)), order=value, right=True)

    fields: tuple[Field[Memory], ...] = (
        Field(name="node", cell=lambda m: m.node),
        field("total", lambda m: m.total_bytes),
        field("used", lambda m: m.used_bytes),
        field("available", lambda m: m.available_bytes),
        field("swap", lambda m: m.swap_total_bytes),
        field("swap-used", lambda m: m.swap_total_bytes - m.swap_free_bytes),
        field("swap-free", lambda m: m.swap_free_bytes),
    )
    return Listing(
        kind="free",
        fields=fields,
        rows=memories,
        objects_of=memory_objects,
        name_of=lambda m: m.node,
        last=[memory_sum(memories)],
    )


def memory_objects(memories: Sequence[Memory]) -> list[JsonObject]:
    """As ``ssi free --json`` shows them; the sum's node is ``all``."""
    return [
        {
            "node": m.node,
            "total_bytes": m.total_bytes,
            "used_bytes": m.used_bytes,
            "available_bytes": m.available_bytes,
            "swap_total_bytes": m.swap_total_bytes,
            "swap_free_bytes": m.swap_free_bytes,
        }
        for m in memories
    ]
