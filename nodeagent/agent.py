"""The agent: sockets, register, mesh and services put together, from start to end."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nodeagent.dispatch import Dispatcher
from nodeagent.exported import Exported
from nodeagent.files import replace_file
from nodeagent.homeserver import HomeServer
from nodeagent.mechanism.ports import free_port
from nodeagent.peers import Peers
from nodeagent.places import Places
from nodeagent.pulse.heart import Heart
from nodeagent.register import Register
from nodeagent.router import Router
from nodeagent.services.homefiles import HomeFiles, Machine, this_machine
from nodeagent.services.mesh import Identity, MeshService
from nodeagent.services.node import NodeServices
from nodeagent.vouchers import Vouchers
from nodeagent.wardenlink import keep_warden
from ssi.mesh.vouching import signer_of
from ssi.model.unreadable import UNREADABLE
from ssi.transport.door import Door
from ssi.transport.gate import Gate, make_context
from ssi.transport.keys import load_or_make_key
from ssi.transport.listener import Listener
from ssi.version import VERSION

_log = logging.getLogger(__name__)

CLIENT_IDLE_S = 1800.0
"""A client-mode agent that nobody asked anything for so long ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How an agent is started.

    Attributes:
        node: Its name; empty in client mode.
        address: On which it listens for the other nodes; ``*`` for all.
        control_port: 0 takes a free one at the first start and keeps it.
        bulk_port: Likewise.
        places: Its files.
        key_path: Its secret key.
        roster_path: Its roster.
    """

    node: str
    address: str
    control_port: int
    bulk_port: int
    places: Places
    key_path: Path
    roster_path: Path

    @property
    def is_client(self) -> bool:
        """Whether it is no member, and serves its user only."""
        return not self.node


class Agent:
    """Runs until cancelled."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = make_context()
        self._key = load_or_make_key(settings.key_path)
        self._signer = signer_of(settings.node, self._key.secret)
        clients_path, vouchers = None, None
        if not settings.is_client:
            clients_path = settings.places.clients
            vouchers = Vouchers(settings.places.vouchers, self._signer)
        self._register = Register(settings.node, settings.roster_path, clients_path, vouchers)
        self._peers = Peers(self._context, settings.node, self._key)
        incarnation = next_incarnation(settings.places.state / "incarnation", time.time())
        self._machine = this_machine(self._key.public) if settings.is_client else None
        self._identity = Identity(
            node=settings.node,
            incarnation=incarnation,
            version=VERSION,
            key=self._key,
            client=self._machine.name if self._machine is not None else "",
        )

    async def run(self) -> None:
        """Opens the sockets, writes ``ready`` and answers until cancelled.

        Raises:
            SsiError: A key that must not be used, a port that is taken.
        """
        async with asyncio.TaskGroup() as tasks:
            dispatcher = Dispatcher(self._settings.node or "this machine", tasks)
            services = home = None
            if self._machine is not None:
                home = self._home_files(self._machine)
                home.register_handlers(dispatcher)
            else:
                services = NodeServices(
                    self._settings.node,
                    self._settings.places,
                    self._register,
                    self._peers,
                    self._key.secret,
                    tasks,
                )
                services.register_handlers(dispatcher)
            mesh = MeshService(
                self._identity,
                self._register,
                self._peers,
                services.metrics if services is not None else None,
                services.read_metrics if services is not None else None,
                tasks,
            )
            mesh.register_handlers(dispatcher)
            router = Router(
                self._settings.node, dispatcher, self._register, self._peers, mesh.silent_s
            )
            if services is not None:
                await services.adopt()
            await self._serve(router, mesh, home, tasks)

    def _home_files(self, machine: Machine) -> HomeFiles:
        """What serves this machine's files to jobs on nodes; in client mode."""
        settings = self._settings
        own = {
            settings.places.runtime,
            settings.places.state,
            settings.key_path.parent,
            settings.roster_path.parent,
        }
        log = settings.places.files_log
        return HomeFiles(
            machine,
            self._peers,
            Exported(settings.places.exported, time.time()),
            HomeServer(settings.key_path, settings.roster_path, log, own),
        )

    async def _serve(
        self, router: Router, mesh: MeshService, home: HomeFiles | None, tasks: asyncio.TaskGroup
    ) -> None:
        door = Door(router.from_door)
        gate, listeners = None, []
        try:
            ports = [0, 0, 0, 0]
            if not self._settings.is_client:
                gate = Gate(self._context, self._register.knows)
                answer = router.from_mesh
                listeners = [Listener(self._context, self._key, answer, tasks) for _ in range(2)]
                ports = self._bind([*listeners, mesh.heart])
            # Others may come in by a client's door only where they are the same user.
            mode = 0o666 if os.geteuid() == 0 and not self._settings.is_client else 0o600
            await door.open(self._settings.places.door, mode)
            if not self._settings.is_client:
                settings = self._settings
                tasks.create_task(
                    keep_warden(settings.node, settings.places, settings.address, ports[3])
                )
            self._write_ready(ports)
            await (_until_idle(router, mesh, home) if home is not None else mesh.run())
        finally:
            await door.close()
            for listener in listeners:
                listener.close()
            self._peers.close()
            # Who goes for good says so; who only starts again is back before it is missed.
            mesh.heart.stop(leaves=self._settings.places.down.exists())
            if gate is not None:
                gate.close()
            self._context.destroy(linger=0)

    def _bind(self, listeners: Sequence[Listener | Heart]) -> list[int]:
        """Listens on the ports that were asked for, or else on those of the last time.

        The last is that of the file server, which is another process and listens by itself.
        """
        path = self._settings.places.state / "ports"
        kept = _kept_ports(path)
        asked = [self._settings.control_port, self._settings.bulk_port, 0]
        ports = [
            listener.bind(self._settings.address, wanted or before)
            for listener, wanted, before in zip(listeners, asked, kept[:3], strict=True)
        ]
        ports.append(free_port(self._settings.address, kept[3]))
        if ports != kept:
            replace_file(path, msgspec.json.encode(ports))
        return ports

    def _write_ready(self, ports: Sequence[int]) -> None:
        ready = {
            "public_key": self._key.public,
            "control_port": ports[0],
            "bulk_port": ports[1],
            "pulse_port": ports[2],
            "files_port": ports[3],
            "pid": os.getpid(),
            "version": VERSION,
            "signing_key": self._signer.public.hex(),
            "bundle": _bundle(),
        }
        replace_file(self._settings.places.ready, msgspec.json.encode(ready), durable=False)
        _log.info(
            "event=ready node=%s control=%d bulk=%d pulse=%d files=%d", self._settings.node, *ports
        )


async def _until_idle(router: Router, mesh: MeshService, home: HomeFiles) -> None:
    """Runs a client-mode agent until nobody has asked for a while, and no job needs its files.

    The next command starts one.
    """
    running = {asyncio.ensure_future(mesh.run()), asyncio.ensure_future(home.run())}
    try:
        while home.is_needed() or time.monotonic() - router.asked_at_s < CLIENT_IDLE_S:
            ended, _ = await asyncio.wait(
                running, timeout=CLIENT_IDLE_S / 60, return_when=asyncio.FIRST_COMPLETED
            )
            for each in ended:
                each.result()  # neither ends but by what broke it
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def next_incarnation(path: Path, now_s: float) -> int:
    """Milliseconds of this start, and more than at any start before.

    The others believe no lower incarnation than they know, so a node whose clock was set back
    would look dead to them for as long.
    """
    try:
        before = int(path.read_bytes())
    except (FileNotFoundError, ValueError):
        before = 0
    incarnation = max(int(now_s * 1000), before + 1)
    replace_file(path, b"%d\n" % incarnation, durable=False)
    return incarnation


def _kept_ports(path: Path) -> list[int]:
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=list[int])
    except (FileNotFoundError, *UNREADABLE):
        kept = []
    return [*kept, 0, 0, 0, 0][:4]


def _bundle() -> str:
    """Name of the directory that this code was unpacked to: its hash, on a deployed node."""
    return Path(__file__).resolve().parent.parent.parent.name
