"""Where a job is that is not where it was: asked of every node."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from nodeagent.peers import Peers
from ssi.model.errors import SsiError
from ssi.protocol.jobs import WaitJob
from ssi.protocol.refusals import JobMoved, NoSuchProcess

ANSWER_S: Final = 5.0
"""How long one node is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Where a job was found.

    Attributes:
        node: Empty where no node that answered has it.
        certain: Every node answered.
    """

    node: str
    certain: bool


class Finder:
    """Asks all nodes for jobs of a user."""

    def __init__(self, node: str, peers: Peers) -> None:
        self._node = node
        self._peers = peers

    async def find(self, gpid: int, user: str) -> Sighting:
        """Where a job is; never raises for a node that does not answer."""
        nodes = [self._node, *self._peers.names()]
        found = await asyncio.gather(*(self._is_there(node, gpid, user) for node in nodes))
        has = next((node for node, there in zip(nodes, found, strict=True) if there), "")
        return Sighting(node=has, certain=None not in found)

    async def _is_there(self, node: str, gpid: int, user: str) -> bool | None:
        """None: nobody knows."""
        request = WaitJob(gpid=gpid, wait_ms=0)
        try:
            await self._peers.ask_for(user, node, request, timeout_s=ANSWER_S)
        except (NoSuchProcess, JobMoved):
            return False  # where it moved to is asked, too
        except SsiError:
            return None
        return True
