"""A file server with its entrance, a mount of it, and who stands between them, in one process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import zmq

from nodeagent.direct.sockets import listen
from nodeagent.filesystem.direct.dialled import Dialled, Dialler
from nodeagent.filesystem.server.accounts import Accounts, own_user
from nodeagent.filesystem.server.exports import Export, Exports
from nodeagent.filesystem.server.operations import Operations
from nodeagent.filesystem.server.paths import Paths
from nodeagent.filesystem.server.process import serving_socket
from nodeagent.filesystem.server.service import FileServer
from nodeagent.filesystem.server.tree import Tree
from nodeagent.mechanism.loop import Loop
from ssi.protocol.filereplies import FileReply, Opened, Way, Welcome
from ssi.protocol.filerequests import (
    Create,
    FileRequest,
    Lookup,
)
from ssi.transport.directpath import Events
from ssi.transport.filelink import TICK_S, FileLink
from ssi.transport.gate import Gate
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint
from tests.contract.plainloop import PlainLoop

PATIENCE_S = 180.0
ME = own_user()
Answer = tuple[int, FileReply | None, bytes]


def key_pair() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public=public.decode(), secret=secret.decode())


class Served:
    """A directory, and the threads that serve it."""

    def __init__(self, root: Path, *, direct: bool = True) -> None:
        self.key, self.known = key_pair(), {"everybody"}
        self.strangers: set[str] = set()
        """Keys that are not let in, nor answered."""
        self.refused: list[str] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._gate = Gate(self._context, self._knows)
        self._socket = serving_socket(self._context, self.key.secret)
        self.port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.entrance = listen("127.0.0.1", self.port + 1) if direct else None
        operations = Operations(Paths(Tree(str(root)), lambda: Exports((Export(b""),), ())))
        self.server = FileServer(
            self._socket, self._whom, operations, Accounts(ME), lambda: None, self.entrance
        )
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()

    def _knows(self, key: str) -> bool:
        if key in self.strangers:
            self.refused.append(key)
        return key not in self.strangers

    def _whom(self, key: str, user: str) -> str | None:
        return "n1" if key not in self.strangers and self.known & {"everybody", user} else None

    def close(self) -> None:
        self.server.stop()
        self._thread.join(PATIENCE_S)
        self._socket.close(linger=0)
        self._gate.close()
        self._context.destroy(linger=0)


class Mount:
    """The end of a mount."""

    def __init__(self, served: Served, session: bytes = b"") -> None:
        self.loop = PlainLoop()
        self.key = key_pair()
        self.dialler = CountingDialler(self.loop)
        self.welcomes: list[Welcome] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        endpoint = Endpoint(
            node="n2", address="127.0.0.1", port=served.port, public_key=served.key.public
        )
        self.link = FileLink(
            self._context, self.loop, self.key, endpoint, session, self.welcomes.append,
            dialler=self.dialler,
        )  # fmt: skip
        self._tick()

    @property
    def is_direct(self) -> bool:
        return self.link._path.stands is not None

    def _tick(self) -> None:
        self.link.tick(holds=False)
        self.loop.call_after(TICK_S, self._tick)

    def begin(
        self, body: FileRequest, data: bytes = b"", *, within_s: float = PATIENCE_S
    ) -> list[Answer]:
        """Asks; the answer is put into what is returned."""
        told: list[Answer] = []

        def then(error: int, reply: FileReply | None, behind: memoryview) -> None:
            told.append((error, reply, bytes(behind)))
            self.loop.stop()

        self.link.ask(ME, "", body, then, data=data, within_s=within_s)
        return told

    def answer(self, body: FileRequest, data: bytes = b"") -> Answer:
        told = self.begin(body, data)
        self.run_until(lambda: bool(told))
        return told[0]

    def opened(self, path: bytes, flags: int) -> int:
        error, reply, _ = self.answer(Create(path, flags, 0o644))
        assert error == 0 and isinstance(reply, Opened)
        return reply.handle

    def run_until(self, happened: Callable[[], bool]) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while not happened():
            assert time.monotonic() < until_s, "it did not happen in time"
            timer = self.loop.call_after(0.05, self.loop.stop)
            self.loop.run()
            timer.cancel()

    def run_until_direct(self) -> None:
        assert self.answer(Lookup(b""))[0] == 0
        self.run_until(lambda: self.is_direct)

    def close(self) -> None:
        self.link.close()
        self._context.destroy(linger=0)
        self.loop.close()


class CountingDialler(Dialler):
    """Notes what it was told of; ``port`` may be another one than the server's."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(loop)
        self.ways: list[Way] = []
        self.port: int | None = None

    def dial(self, address: str, port: int, way: Way, events: Events) -> Dialled | None:
        self.ways.append(way)
        return super().dial(address, self.port or port, way, events)


class Between:
    """Whoever sits on the cable: passes bytes on, and may harm those of the server."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._to = port
        self.harm: Callable[[bytes], bytes | None] = lambda data: data
        """What becomes of what the server sends; None cuts both connections."""
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open += [near, far]
                for source, target, is_server in ((near, far, False), (far, near, True)):
                    words = (source, target, is_server)
                    threading.Thread(target=self._pass_on, args=words, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_server: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                passed = self.harm(data) if is_server else data
                if passed is None:
                    break
                target.sendall(passed)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """From now on nobody listens there."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else it would accept one more
        self._accepting.join(PATIENCE_S)
        self._listener.close()
        for each in self._open:
            each.close()
