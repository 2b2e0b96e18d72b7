"""A command as a guest of nodes' file servers: a key for its lifetime, and a link to each.

The key is made in memory and let in by the agents, which know who asks. The link is the one that
mounts have; here it runs on asyncio.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import zmq

from ssi.client.connection import DEFAULT_TIMEOUT_S
from ssi.client.files.errors import FilesNotServed, FilesSilent
from ssi.client.files.local import LocalTree
from ssi.client.files.remote import FileLost, RemoteTree
from ssi.client.files.tree import Tree
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.model.node import RosterEntry
from ssi.model.nodeset import fold
from ssi.protocol.filereplies import FileReply, Welcome
from ssi.protocol.filerequests import Bye, FileRequest
from ssi.protocol.guests import AllowFiles, FilesAllowed
from ssi.protocol.refusals import NodeUnknown
from ssi.protocol.system import GetRoster, RosterReply
from ssi.transport.filelink import LOST, TICK_S, FileLink
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint

LEASE_S: Final = 60.0
RENEW_S: Final = 20.0
PATIENCE_S: Final = 30.0
"""How long an answer is waited for, unless it is said otherwise."""

FAREWELL_S: Final = 2.0


class Guest:
    """Trees of nodes, each made at its first use. Use it as a context.

    Args:
        system: Which tells where the nodes are, and lets us in there.
        patience_s: How long a node may be silent before whatever was asked of it fails.
    """

    def __init__(self, system: System, patience_s: float = PATIENCE_S) -> None:
        self._system = system
        self._patience_s = patience_s
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._key = KeyPair(public="", secret="")
        self._entries: dict[str, RosterEntry] = {}
        self._trees: dict[str, Tree] = {}
        self._links: dict[str, NodeLink] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._here = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        try:
            leaving = (self._leave(node, link) for node, link in self._links.items())
            await asyncio.gather(*leaving)
        finally:
            if self._context is not None:
                self._context.destroy(linger=0)

    async def tree(self, node: str) -> Tree:
        """The files of a node; this machine's for an empty name, and for its own.

        Raises:
            SsiError: There is no such node, it does not answer, or it lets us not in.
        """
        if node not in self._trees:
            self._trees[node] = await self._made(node)
        return self._trees[node]

    async def _made(self, node: str) -> Tree:
        if not node:
            return LocalTree()
        if not self._entries:
            reply, nodes = await asyncio.gather(
                self._system.ask(GetRoster(), RosterReply), self._system.nodes()
            )
            rows = reply.roster.nodes if reply.roster is not None else ()
            self._entries = {entry.name: entry for entry in rows}
            self._here = nodes.observer
        entry = self._entries.get(node)
        if entry is None:
            raise NodeUnknown(node=node, known=fold(self._entries))
        if node == self._here:
            return LocalTree(written=node)
        if not entry.files_port:
            raise FilesNotServed(node=node)
        if self._context is None:
            public, secret = zmq.curve_keypair()
            self._key = KeyPair(public=public.decode(), secret=secret.decode())
            self._context = zmq.Context()
            self._renewing = asyncio.get_running_loop().create_task(self._renew())
        allowed = await self._allow(node, LEASE_S)
        link = self._links[node] = NodeLink(
            self._context, self._key, entry, allowed.user, self._patience_s
        )
        return RemoteTree(node, allowed.user, os.fsencode(allowed.home), link)

    async def _allow(self, node: str, lease_s: float) -> FilesAllowed:
        body = AllowFiles(public_key=self._key.public, lease_s=lease_s)
        timeout_s = min(self._patience_s, DEFAULT_TIMEOUT_S)
        return await self._system.ask(body, FilesAllowed, node=node, timeout_s=timeout_s)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            # A node that does not hear of it now may hear of it the next time.
            await asyncio.gather(
                *(self._allow(node, LEASE_S) for node in self._links), return_exceptions=True
            )

    async def _leave(self, node: str, link: NodeLink) -> None:
        """Gives back what the node holds for us; where it is away, its own clocks do."""
        try:
            async with asyncio.timeout(FAREWELL_S):
                await link.ask(Bye(), within_s=FAREWELL_S)
                await self._allow(node, 0.0)
        except (TimeoutError, SsiError, OSError):
            pass
        finally:
            link.close()


class NodeLink:
    """Asks one node's file server; any number of requests may be under way.

    Args:
        context: Of this process.
        key: Of the guest.
        entry: Where the server is.
        user: As whom.
        patience_s: For one answer.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        key: KeyPair,
        entry: RosterEntry,
        user: str,
        patience_s: float,
    ) -> None:
        endpoint = Endpoint(
            node=entry.name,
            address=entry.address,
            port=entry.files_port,
            public_key=entry.public_key,
        )
        self._node, self._user, self._patience_s = entry.name, user, patience_s
        self.users: dict[int, str] = {}
        self.groups: dict[int, str] = {}
        self._link = FileLink(context, _AsyncLoop(), key, endpoint, b"", self._welcome)
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    def _welcome(self, welcome: Welcome) -> None:
        self.users, self.groups = welcome.users, welcome.groups

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._link.tick(holds=True)

    async def ask(
        self, body: FileRequest, data: bytes | memoryview = b"", *, within_s: float = 0.0
    ) -> tuple[FileReply, memoryview]:
        """The reply, and the bytes behind it.

        Args:
            body: What is asked.
            data: The bytes behind it.
            within_s: Another patience than usual.

        Raises:
            OSError: What the node refuses, with the number of its kernel.
            FileLost: The server has forgotten the open file that was named.
            FilesSilent: No answer came in time.
        """
        within_s = within_s or self._patience_s
        answer: asyncio.Future[tuple[FileReply, memoryview]] = (
            asyncio.get_running_loop().create_future()
        )

        def then(error: int, reply: FileReply | None, behind: memoryview) -> None:
            if answer.done():
                return
            if error == LOST:
                answer.set_exception(
                    FileLost(errno.ESTALE, "its server was restarted", f"{self._node}:")
                )
            elif error == errno.ETIMEDOUT:
                answer.set_exception(FilesSilent(node=self._node, after_s=within_s))
            elif error or reply is None:
                answer.set_exception(OSError(error, os.strerror(error), f"{self._node}:"))
            else:
                answer.set_result((reply, behind))

        asked = bytes(data) if isinstance(data, memoryview) else data
        number = self._link.ask(self._user, "", body, then, data=asked, within_s=within_s)
        try:
            return await answer
        finally:
            if not answer.done() or answer.cancelled():
                self._link.give_up(number)

    def tell(self, body: FileRequest) -> None:
        """Asks, and waits for nothing: what it does is undone by the end of the session as well."""
        self._link.ask(self._user, "", body, _nothing, within_s=self._patience_s)

    def close(self) -> None:
        """Nothing is asked any more."""
        self._ticking.cancel()
        self._link.close()


class _AsyncLoop:
    """What the link wants of a loop, by that of asyncio."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def watch(self, descriptor: int, readable: Callable[[], None] | None = None) -> None:
        self._loop.remove_reader(descriptor)
        if readable is not None:
            self._loop.add_reader(descriptor, readable)

    def call_after(self, delay_s: float, callback: Callable[[], None]) -> None:
        self._loop.call_later(delay_s, callback)


def _nothing(_error: int, _reply: FileReply | None, _behind: memoryview) -> None:
    """Nobody waits for that answer."""
