"""The file server of a machine that is no node.

Nodes cannot connect to it, so it connects to each of them that has mounted its files: to the port
on which the mount listens. CURVE does not mind who calls whom: as everywhere this end is the
server, and lets in the keys of nodes only. It acts as its own user, whoever that is, and shows only
what it is told to. It ends with the agent, which tells it all of that on a socket.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import zmq

from nodeagent.filesystem.server.accounts import Accounts, own_user
from nodeagent.filesystem.server.exports import Export
from nodeagent.filesystem.server.known import KnownNodes
from nodeagent.filesystem.server.operations import Operations
from nodeagent.filesystem.server.orders import Serve
from nodeagent.filesystem.server.paths import Paths
from nodeagent.filesystem.server.process import raise_limit, serving_socket
from nodeagent.filesystem.server.rules import CurrentRules
from nodeagent.filesystem.server.service import FileServer
from nodeagent.filesystem.server.tree import Tree
from nodeagent.mechanism.daemon import take_title
from ssi.transport.gate import Gate
from ssi.transport.keys import load_or_make_key

MAX_ORDER_BYTES: Final = 1024 * 1024
AGAIN_MS: Final = 200
AGAIN_MOST_MS: Final = 2000
"""How often a node is tried that cannot be reached."""

_log: Final = logging.getLogger(__name__)


_orders: Final = msgspec.msgpack.Decoder(Serve)


def run_dialling_server(
    orders: socket.socket, key_path: Path, roster: Path, own: Iterable[Path]
) -> None:
    """Serves until the other end of ``orders`` is closed.

    Args:
        orders: Brings a :class:`Serve` whenever something has changed.
        key_path: Of the agent's secret key.
        roster: The file that names the nodes.
        own: What is ssi's own here, and never served.
    """
    take_title("ssi-files", "client")
    os.umask(0)  # the asking kernel has applied the asker's
    raise_limit()
    known, rules = KnownNodes(roster), CurrentRules(own, None)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    gate = Gate(context, known.knows)

    def tick() -> None:
        known.refresh()
        rules.refresh()

    router = serving_socket(context, load_or_make_key(key_path).secret)
    router.setsockopt(zmq.CONNECT_TIMEOUT, 1000)
    router.setsockopt(zmq.TCP_MAXRT, 5000)
    router.setsockopt(zmq.RECONNECT_IVL, AGAIN_MS)
    router.setsockopt(zmq.RECONNECT_IVL_MAX, AGAIN_MOST_MS)
    operations = Operations(Paths(Tree("/"), lambda: rules.now))
    server = FileServer(router, known.whom, operations, Accounts(own_user()), tick)
    threading.Thread(target=_obey, args=(orders, rules, server), daemon=True).start()
    try:
        server.run()
    finally:
        router.close(linger=0)
        gate.close()
        context.destroy(linger=0)


def _obey(orders: socket.socket, rules: CurrentRules, server: FileServer) -> None:
    dialled: set[str] = set()
    while data := orders.recv(MAX_ORDER_BYTES):
        order = _orders.decode(data)
        rules.serve(_exports(order.paths))
        wanted = set(order.urls)

        server.act(partial(_dial, dialled, wanted))
        _log.info("event=files-served paths=%d nodes=%d", len(order.paths), len(wanted))
        dialled = wanted
    server.stop()


def _dial(dialled: set[str], wanted: set[str], router: zmq.Socket[bytes]) -> None:
    for url in dialled - wanted:
        router.disconnect(url)
    for url in wanted - dialled:
        router.connect(url)


def _exports(paths: Iterable[str]) -> list[Export]:
    """The paths, and where links on the way lead: the asking kernel follows them."""
    named = {*paths, *(os.path.realpath(path) for path in paths)}
    return [Export(os.fsencode(path).strip(b"/")) for path in sorted(named)]
