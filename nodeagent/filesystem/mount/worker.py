"""The process that answers the kernel for all mounts of this machine.

The warden hands it mounts through a socket, each with its descriptor of /dev/fuse. It must never
touch a path on one of them: it would wait for itself.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from pathlib import Path
from typing import Final

import msgspec
import zmq

from nodeagent.filesystem.direct.dialled import Dialler
from nodeagent.filesystem.fuse import abi
from nodeagent.filesystem.mount.accounts import LocalAccounts
from nodeagent.filesystem.mount.clientuser import ClientAccounts
from nodeagent.filesystem.mount.keptwrites import KeptWrites
from nodeagent.filesystem.mount.locking import give_back
from nodeagent.filesystem.mount.memory import Memory
from nodeagent.filesystem.mount.mount import Mount
from nodeagent.filesystem.mount.options import MountOptions
from nodeagent.filesystem.mount.table import HANDLERS
from nodeagent.filesystem.orders import MountOrder, MoveOrder, Order, UnmountOrder
from nodeagent.mechanism.daemon import take_title
from nodeagent.mechanism.loop import Loop
from ssi.protocol.filereplies import Welcome
from ssi.transport.filelink import TICK_S, FileLink
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint

MAX_ORDER_BYTES: Final = 65536
IDLE_S: Final = 60.0
"""A connection over which nothing was asked for so long is closed, where no file is open."""

_orders: Final[msgspec.msgpack.Decoder[Order]] = msgspec.msgpack.Decoder(Order)
_log: Final = logging.getLogger(__name__)


class Worker:
    """See the module.

    Args:
        orders: From the warden.
        key: Of this machine.
    """

    def __init__(self, orders: socket.socket, key: KeyPair) -> None:
        self._loop = Loop()
        self._dialler = Dialler(self._loop)
        self._orders = orders
        self._key = key
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._buffer = bytearray(abi.READ_BUFFER_BYTES)
        self._mounts: dict[int, Mount] = {}
        self._kept: KeptWrites | None = None
        orders.setblocking(False)
        self._loop.watch(orders.fileno(), readable=self._take_order)
        self._loop.on_signal(signal.SIGTERM, self._loop.stop)
        self._tick()

    def run(self) -> None:
        """Serves until the warden ends or says so."""
        self._loop.run()
        for mount in self._mounts.values():
            mount.close()
        self._context.destroy(linger=0)

    def _take_order(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._orders, MAX_ORDER_BYTES, 1)
        except BlockingIOError:
            return
        if not data:
            self._loop.stop()  # nobody would heal us any more
            return
        order = _orders.decode(data)
        match order:
            case MountOrder():
                self._mount(order, descriptors[0])
            case UnmountOrder():
                mount = self._mounts.pop(order.number, None)
                if mount is not None:
                    mount.close()
            case MoveOrder():
                mount = self._mounts.get(order.number)
                if mount is not None:
                    mount.server.link.move(_endpoint(order))

    def _mount(self, order: MountOrder, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        memory = Memory(Path(order.journal))
        box: list[Mount] = []

        def welcome(welcome: Welcome) -> None:
            box[0].welcome(welcome)

        accounts = LocalAccounts() if order.client is None else ClientAccounts(order.client)
        link = FileLink(
            self._context, self._loop, self._key, _endpoint(order), memory.session, welcome,
            listens=order.client is not None, dialler=self._dialler, is_paced=True,
        )  # fmt: skip
        memory.note_session(link.session)
        options: MountOptions = order.options
        mount = Mount(
            self._loop, descriptor, options, link, HANDLERS, self._buffer, memory, accounts,
            order.number, self._kept_beside(Path(order.journal)),
        )  # fmt: skip
        box.append(mount)
        self._mounts[order.number] = mount
        if order.again:
            mount.take_over()
        else:
            mount.behind.forget()
        _log.info("event=mount node=%s number=%d again=%s", order.node, order.number, order.again)

    def _kept_beside(self, journal: Path) -> KeptWrites:
        if self._kept is None:
            self._kept = KeptWrites(journal.with_name("writes"))
        return self._kept

    def _tick(self) -> None:
        for mount in self._mounts.values():
            mount.tick()
            give_back(mount)
            if not mount.handles and mount.server.link.idle_s() > IDLE_S:
                mount.server.link.close()
        self._loop.call_after(TICK_S, self._tick)


def run_worker(node: str, orders: socket.socket, key: KeyPair) -> None:
    """Is the worker until it is told to end."""
    take_title("ssi-mounts", node)
    Worker(orders, key).run()


def _endpoint(order: MountOrder | MoveOrder) -> Endpoint:
    return Endpoint(
        node=order.node, address=order.address, port=order.port, public_key=order.public_key
    )
