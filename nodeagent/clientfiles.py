"""Files of machines that are no nodes, for the jobs here that were started from them.

The agent of such a machine keeps one question open at every node (``OfferFiles``). When a job comes
that sees its files, the warden mounts them and a port is awaited on; the question is answered with
that port, and the machine connects to it. One mount serves all jobs of one client, and is taken
away a while after the last of them has ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.filesystem.control import Control, Outcome, Refused, ask_warden
from nodeagent.filesystem.mount.clientuser import ClientUser
from nodeagent.mechanism import login
from nodeagent.places import Places
from ssi.model.client import client_name, is_client
from ssi.model.job import JobRow
from ssi.model.jobfiles import FilesUnavailable, JobFiles
from ssi.protocol.clients import FilesWanted, OfferFiles
from ssi.protocol.refusals import NotPermitted, UserUnknown

KEEP_S: Final = 60.0
"""A mount stays so long after its last job: the next one is likely to come soon."""

APPEAR_S: Final = 5.0
"""For a client to be heard: this agent, or that one, may have started a moment ago."""

SWEEP_S: Final = 5.0
FORGET_S: Final = 300.0
MAX_WAIT_S: Final = 25.0

_log: Final = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Client:
    """A machine that offers its files.

    Attributes:
        user: Whose key it holds, here.
        identity: That user here and there.
        port: On which its mount awaits it; 0: there is none.
        state: Names what is told to it; another one after each change.
        heard_s: When it asked last.
        until_s: So long its mount stays, jobs or not.
        told: Which jobs it knows to need it.
        changed: Set, and replaced, with each change.
    """

    name: str
    user: str
    public_key: str
    identity: ClientUser
    port: int = 0
    state: int = field(default_factory=time.time_ns)
    heard_s: float = 0.0
    until_s: float = 0.0
    told: frozenset[int] = frozenset()
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def become(self, port: int) -> None:
        """Its mount stands at another port, or at none."""
        if port != self.port:
            self.port = port
            self.renew()

    def renew(self) -> None:
        """There is news for it."""
        self.state = time.time_ns()
        self.changed.set()
        self.changed = asyncio.Event()


class ClientFiles:
    """See the module.

    Args:
        node: Name of this node.
        places: Where the warden listens.
        jobs: The jobs that run here, or are about to.
        owner_of: The user whose key that is; None for nobody's.
    """

    def __init__(
        self,
        node: str,
        places: Places,
        jobs: Callable[[], Iterable[JobRow]],
        owner_of: Callable[[str], str | None],
    ) -> None:
        self._node = node
        self._places = places
        self._jobs = jobs
        self._owner_of = owner_of
        self._clients: dict[str, Client] = {}
        self._appeared = asyncio.Event()
        self._started_s = time.monotonic()

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what clients ask."""
        dispatcher.serve(OfferFiles, self._offer)

    async def run(self) -> None:
        """Takes away what nobody needs any more, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            with suppress(FilesUnavailable):  # the warden is being started
                await self._sweep()

    async def bring(self, files: JobFiles | None, user: str) -> None:
        """The files of each client that a job sees are mounted here.

        Raises:
            FilesUnavailable: That machine is not heard, or is somebody else's.
        """
        for name in files.clients() if files is not None else ():
            client = await self._await_client(name)
            if client is None or client.user != user:
                raise FilesUnavailable(
                    node=self._node, files=f"files of {name}", reason="that machine is not heard"
                )
            client.until_s = time.monotonic() + KEEP_S
            await self._mount(client)

    async def _await_client(self, name: str) -> Client | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(APPEAR_S):
                while name not in self._clients:
                    await self._appeared.wait()
        return self._clients.get(name)

    async def _offer(self, caller: Caller, body: OfferFiles) -> FilesWanted:
        client = self._client(caller, body)
        if client.port == 0 and self._rows_of(client.name):
            await self._mount(client)  # they run on after this agent, or the mount, was restarted
        if body.known == client.state and body.wait_ms > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(body.wait_ms / 1000, MAX_WAIT_S)):
                    await client.changed.wait()
            client.heard_s = time.monotonic()
        rows = self._rows_of(client.name)
        client.told = frozenset(row.gpid for row in rows)
        paths = {path for row in rows if row.files for path in row.files.paths_of(client.name)}
        return FilesWanted(
            state=client.state, port=client.port, jobs=len(rows), paths=tuple(sorted(paths))
        )

    def _client(self, caller: Caller, body: OfferFiles) -> Client:
        """The client that asks, known from now on.

        Raises:
            NotPermitted: The key is not the caller's.
            UserUnknown: The caller has no account here.
        """
        if caller.node or self._owner_of(body.public_key) != caller.user:
            raise NotPermitted(node=self._node, user=caller.user, deed="offer files with this key")
        account = login.find_account(caller.user)
        if account is None:
            raise UserUnknown(node=self._node, user=caller.user)
        identity = ClientUser(uid=account.uid, gid=account.gid, user=body.user, group=body.group)
        name = client_name(body.host, body.machine, body.public_key)
        client = self._clients.get(name)
        if client is None or client.user != caller.user:
            client = Client(name, caller.user, body.public_key, identity)
            self._clients[name] = client
            self._appeared.set()
            self._appeared = asyncio.Event()
        client.heard_s = time.monotonic()
        return client

    def _rows_of(self, name: str) -> list[JobRow]:
        return [row for row in self._jobs() if row.files and name in row.files.clients()]

    async def _mount(self, client: Client) -> None:
        """Its files are mounted; asked again it is harmless.

        Raises:
            FilesUnavailable: They cannot be.
        """
        outcome = await self._ask(
            Control(
                deed="receive",
                node=client.name,
                public_key=client.public_key,
                client=client.identity,
            )
        )
        client.become(outcome.port)

    async def _sweep(self) -> None:
        now_s = time.monotonic()
        outcome = await self._ask(Control(deed="list"))
        points = {row.node: row.point for row in outcome.rows if is_client(row.node)}
        for name, client in list(self._clients.items()):
            if rows := self._rows_of(name):
                client.until_s = max(client.until_s, now_s + KEEP_S)
            if client.told != {row.gpid for row in rows}:
                client.renew()
            if name not in points:
                client.become(0)  # its warden died; who needs it has it mounted again
            if now_s - client.heard_s > FORGET_S and name not in points:
                del self._clients[name]
        for name, point in points.items():
            known = self._clients.get(name)
            until_s = known.until_s if known is not None else self._started_s + KEEP_S
            if now_s > until_s and not self._rows_of(name):
                _log.info("event=client-files-released client=%s", name)
                await self._ask(Control(deed="unmount", point=point))
                if known is not None:
                    known.become(0)

    async def _ask(self, control: Control) -> Outcome:
        try:
            return await asyncio.to_thread(ask_warden, self._places.files_socket, control)
        except (Refused, OSError) as exc:
            reason = (exc.strerror if isinstance(exc, OSError) else "") or str(exc)
            raise FilesUnavailable(
                node=self._node, files=f"files of {control.node}", reason=reason
            ) from exc
