"""The process that serves this node's files."""

from __future__ import annotations

import logging
import os
import resource
import signal
from pathlib import Path

import zmq

from nodeagent.direct.sockets import listen
from nodeagent.filesystem.server import credentials
from nodeagent.filesystem.server.accounts import Accounts, own_user
from nodeagent.filesystem.server.known import Known
from nodeagent.filesystem.server.operations import Operations
from nodeagent.filesystem.server.paths import Paths
from nodeagent.filesystem.server.rules import CurrentRules
from nodeagent.filesystem.server.service import FileServer
from nodeagent.filesystem.server.tree import Tree
from nodeagent.mechanism import aesgcm
from nodeagent.mechanism.daemon import take_title
from nodeagent.places import Places
from ssi.protocol.filerequests import MAX_DATA_BYTES
from ssi.transport.gate import DOMAIN, Gate
from ssi.transport.keys import KeyPair

_log = logging.getLogger(__name__)


def run_server(
    node: str, places: Places, key: KeyPair, address: str, port: int, exports: Path, base: Path
) -> None:
    """Serves until SIGTERM.

    Raises:
        zmq.ZMQError: Somebody else has the port.
    """
    take_title("ssi-files", node)
    os.umask(0)  # the asking kernel has applied the asker's
    raise_limit()
    known, rules = Known(node, places), CurrentRules((places.runtime, places.state, base), exports)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    gate = Gate(context, known.knows)

    def tick() -> None:
        known.refresh()
        rules.refresh()

    socket = serving_socket(context, key.secret)
    host = f"[{address}]" if ":" in address else address
    socket.bind(f"tcp://{host}:{port}")
    only = "" if credentials.is_supported() else own_user()
    operations = Operations(Paths(Tree("/"), lambda: rules.now))
    # A port that a firewall can know, where nobody else has it.
    entrance = listen(address, port + 1) if aesgcm.is_supported() else None
    server = FileServer(socket, known.whom, operations, Accounts(only), tick, entrance)
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    direct_port = 0 if entrance is None else entrance.getsockname()[1]
    _log.info("event=files-served port=%d direct_port=%d", port, direct_port)
    try:
        server.run()
    finally:
        socket.close(linger=0)
        gate.close()
        context.destroy(linger=0)


def serving_socket(context: zmq.Context[zmq.Socket[bytes]], secret: str) -> zmq.Socket[bytes]:
    """The socket of a file server, neither bound nor connected yet."""
    socket = context.socket(zmq.ROUTER)
    socket.linger = 0
    for option, value in (
        (zmq.SNDHWM, 0), (zmq.ROUTER_MANDATORY, 1), (zmq.IPV6, 1),
        (zmq.HEARTBEAT_IVL, 2000), (zmq.HEARTBEAT_TIMEOUT, 4000), (zmq.HANDSHAKE_IVL, 5000),
        (zmq.MAXMSGSIZE, 2 * MAX_DATA_BYTES),
    ):  # fmt: skip
        socket.setsockopt(option, value)
    socket.curve_server = True
    socket.curve_secretkey = secret.encode()
    socket.zap_domain = DOMAIN.encode()
    return socket


def raise_limit() -> None:
    """As many open files as may be: each open file of each mount is one here."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
