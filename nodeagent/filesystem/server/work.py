"""A request that the file server has taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nodeagent.direct.buffers import Buffer
from nodeagent.filesystem.direct.entrance import Peer
from nodeagent.filesystem.server.router import Route
from nodeagent.filesystem.server.session import Session
from ssi.protocol import filerequests
from ssi.protocol.fileframes import Asked

QUICK_BYTES: Final = 256 * 1024
LONG: Final = frozenset(
    {
        filerequests.Sync,
        filerequests.SyncDirectory,
        filerequests.Allocate,
        filerequests.CopyRange,
        filerequests.Digest,
    }
)
"""Requests that may well take long."""


@dataclass(eq=False, slots=True)
class Work:
    """A request that waits for a thread, or for a lock.

    Attributes:
        session: Of the mount that asks.
        data: That belong to the request.
        route: By which it came.
        lent: Of which ``data`` are a part; it is given back once they are not needed.
    """

    session: Session
    asked: Asked
    data: memoryview
    route: Route
    lent: Buffer | None = None

    @property
    def is_quick(self) -> bool:
        """Whether it takes a moment, but for what no one can know beforehand."""
        body = self.asked.body
        if isinstance(self.route, Peer):
            return type(body) not in LONG  # no other thread seals while the next is carried out
        if isinstance(body, filerequests.Read):
            return body.size <= QUICK_BYTES
        if isinstance(body, filerequests.Write):
            return len(self.data) <= QUICK_BYTES
        return type(body) not in LONG
