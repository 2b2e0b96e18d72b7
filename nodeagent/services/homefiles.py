"""The files of this machine, which is no node, for the jobs that were started from it.

One question stays open at every node: whether it has such jobs. A node that does names the port on
which it awaits the file server of this machine, and which paths those jobs see. The server runs
while any node wants it. In a system so large that links are made when they are used, nodes are
asked once, and on and on only while there is such a job anywhere.
"""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nodeagent.dispatch import Audience, Caller, Dispatcher
from nodeagent.exported import Exported
from nodeagent.filesystem.server.orders import Serve
from nodeagent.homeserver import HomeServer
from nodeagent.peers import Peers
from ssi.model.client import ServedRow, client_name
from ssi.model.errors import SsiError
from ssi.model.sha512 import sha512
from ssi.protocol.clients import (
    FilesWanted,
    ListServed,
    OfferFiles,
    ServedList,
    ServeFiles,
)
from ssi.protocol.message import Done
from ssi.transport.link import tcp_url

WAIT_S: Final = 20.0
"""How long a node may keep the question open."""

AGAIN_S: Final = 0.5
AGAIN_MOST_S: Final = 5.0
LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Who offers files here.

    Attributes:
        name: What nodes call this machine.
        host: What it calls itself.
        machine: Tells it from others of that name.
        public_key: Of its agent.
        user: Whose files they are.
        group: First group of that user.
    """

    name: str
    host: str
    machine: str
    public_key: str
    user: str
    group: str

    def offer(self, known: int) -> OfferFiles:
        """The question to a node whose last answer was ``known``."""
        return OfferFiles(
            host=self.host,
            machine=self.machine,
            public_key=self.public_key,
            user=self.user,
            group=self.group,
            known=known,
            wait_ms=int(WAIT_S * 1000),
        )


@dataclass(eq=False, slots=True)
class _Node:
    """What a node has said.

    Attributes:
        asking: The task that keeps the question open.
        wanted: Its last answer; None before the first.
        problem: Why there is none now.
    """

    asking: asyncio.Task[None] | None = None
    wanted: FilesWanted | None = None
    problem: str = ""


class HomeFiles:
    """See the module.

    Args:
        machine: This one.
        peers: Links to the nodes.
        exported: What may be seen.
        server: Serves it.
    """

    def __init__(
        self,
        machine: Machine,
        peers: Peers,
        exported: Exported,
        server: HomeServer,
    ) -> None:
        self._machine = machine
        self._peers = peers
        self._exported = exported
        self._server = server
        self._nodes: dict[str, _Node] = {}
        self._changed = asyncio.Event()
        self._needed = asyncio.Event()

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what the commands of this machine ask."""
        dispatcher.serve(ServeFiles, self._serve, Audience.ROOT)
        dispatcher.serve(ListServed, self._list, Audience.ROOT)

    def is_needed(self) -> bool:
        """Whether any job sees files of this machine, or may do so in a moment."""
        return self._exported.is_asked(time.time()) or any(
            node.wanted is not None and (node.wanted.jobs or node.wanted.port)
            for node in self._nodes.values()
        )

    async def run(self) -> None:
        """Keeps asking the nodes, and serves what they want, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._follow(tasks)
                    self._settle()
                    self._changed.clear()
                    try:
                        async with asyncio.timeout(LOOK_S):
                            await self._changed.wait()
                    except TimeoutError:
                        continue
        finally:
            self._server.end()

    async def _serve(self, _caller: Caller, body: ServeFiles) -> Done:
        self._exported.ask(body.paths, time.time())
        self._settle()
        return Done()

    async def _list(self, _caller: Caller, _body: ListServed) -> ServedList:
        rows = tuple(
            ServedRow(node=name, jobs=node.wanted.jobs, problem=node.problem)
            for name, node in sorted(self._nodes.items())
            if node.wanted is not None and node.wanted.jobs
        )
        return ServedList(rows=rows, paths=self._exported.paths())

    def _follow(self, tasks: asyncio.TaskGroup) -> None:
        """One task for each node of the roster."""
        names = set(self._peers.names())
        for name in names - self._nodes.keys():
            node = self._nodes[name] = _Node()
            node.asking = tasks.create_task(self._keep_asking(name, node))
        for name in self._nodes.keys() - names:
            asking = self._nodes.pop(name).asking
            assert asking is not None
            asking.cancel()

    async def _keep_asking(self, name: str, node: _Node) -> None:
        again_s = AGAIN_S
        while True:
            if node.wanted is not None and not self._peers.stands:
                await self._needed.wait()
            known = node.wanted.state if node.wanted is not None and not node.problem else 0
            try:
                answer = await self._peers.ask(
                    name, self._machine.offer(known), timeout_s=WAIT_S + 10.0
                )
            except SsiError as exc:  # it is away; asked again, it says how it is then
                node.problem = exc.what()
                await asyncio.sleep(again_s)
                again_s = min(again_s * 2, AGAIN_MOST_S)
                continue
            if isinstance(answer, FilesWanted):
                node.wanted, node.problem, again_s = answer, "", AGAIN_S
                self._changed.set()

    def _settle(self) -> None:
        """The server runs if it is needed, and serves what is."""
        told = [node.wanted for node in self._nodes.values() if node.wanted is not None]
        needed = {path for each in told for path in each.paths}
        # What one said last does not tell what has come to it since it cannot be asked.
        heard = [node for node in self._nodes.values() if node.wanted and not node.problem]
        all_told = len(heard) == len(self._peers.names())
        self._exported.settle(needed, time.time(), all_told=all_told)
        if self.is_needed():
            self._needed.set()
            self._server.tell(Serve(self._exported.paths(), self._urls()))
        else:
            self._needed.clear()
            self._server.end()

    def _urls(self) -> tuple[str, ...]:
        """Where mounts wait for this machine."""
        return tuple(
            tcp_url(self._peers.address(name), node.wanted.port)
            for name, node in sorted(self._nodes.items())
            if node.wanted is not None and node.wanted.port
        )


def this_machine(public_key: str) -> Machine:
    """Who this machine and its user are."""
    host, machine = socket.gethostname(), _machine_id()
    account = pwd.getpwuid(os.geteuid())
    try:
        group = grp.getgrgid(account.pw_gid).gr_name
    except KeyError:
        group = ""
    return Machine(
        name=client_name(host, machine, public_key),
        host=host,
        machine=machine,
        public_key=public_key,
        user=account.pw_name,
        group=group,
    )


def _machine_id() -> str:
    """A hash of what systemd calls this machine, which is not to be told; empty without."""
    try:
        told = Path("/etc/machine-id").read_bytes().strip()
    except OSError:
        return ""
    return sha512(b"ssi client " + told).hex()[:32] if told else ""
