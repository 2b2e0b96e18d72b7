"""The nodes as lately seen: their names and states, and a word when one is believed dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Self

from ssi.client.system import System, why_dead
from ssi.model.errors import SsiError
from ssi.model.node import NodeRow, NodeState

EVERY_S: Final = 1.0


class Neighbours:
    """See the module.

    Attributes:
        here: Name of this machine where it is a node, else empty.
        when_dead: Is told of a node that is believed dead, with what is known of it.
    """

    def __init__(self, system: System, here: str, rows: tuple[NodeRow, ...]) -> None:
        self.here = here
        self.when_dead: Callable[[str, SsiError], None] = lambda _name, _error: None
        self._system = system
        self._rows = {row.name: row for row in rows}
        self._task = asyncio.create_task(self._look())

    @classmethod
    async def of(cls, system: System) -> Self:
        """Those of a system, looked at again and again until :meth:`close`."""
        seen = await system.nodes()
        return cls(system, seen.observer, seen.rows)

    @property
    def names(self) -> frozenset[str]:
        """Of all nodes."""
        return frozenset(self._rows)

    def state_of(self, name: str) -> NodeState | None:
        """Of a node; None where there is none of that name."""
        row = self._rows.get(name)
        return row.state if row is not None else None

    def is_dead(self, name: str) -> bool:
        """Whether nothing is to be hoped of it."""
        return self.state_of(name) in {None, NodeState.DEAD, NodeState.LEFT}

    def loss_of(self, name: str) -> SsiError | None:
        """Why nothing is to be hoped of a node; None where something is."""
        row = self._rows.get(name)
        return why_dead(row) if row is not None and self.is_dead(name) else None

    async def close(self) -> None:
        """Looks no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self._system.lull.begin()
            try:
                rows = (await self._system.nodes()).rows
            except SsiError:
                continue  # the door has closed; whoever asks next for more opens it again
            self._rows = {row.name: row for row in rows}
            for row in rows:
                if row.state in {NodeState.DEAD, NodeState.LEFT}:
                    self.when_dead(row.name, why_dead(row))
