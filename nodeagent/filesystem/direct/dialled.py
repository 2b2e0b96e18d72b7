"""The mount's end of a direct connection. It runs on the loop of the mount's process."""

from __future__ import annotations

import logging
import socket
from typing import Final

from nodeagent.direct.buffers import Buffers
from nodeagent.direct.records import Broken, Records
from nodeagent.direct.sockets import dial
from nodeagent.filesystem.direct.entrance import TO_MOUNT, TO_SERVER
from nodeagent.mechanism.aesgcm import CipherMissing, Sealer
from nodeagent.mechanism.loop import Loop
from ssi.protocol.filereplies import Way
from ssi.transport.directpath import Events

PROVEN_S: Final = 2.0
"""Where the server has not answered by then, a firewall is in the way, most likely."""

READ_BUDGET: Final = 64

_log: Final = logging.getLogger(__name__)


class Dialled:
    """See the module.

    Args:
        loop: On which all of it runs.
        buffers: For large records.
        address: Of the server, as a number.
        port: Of its entrance.
        way: What it has offered.
        events: What is told of the connection.

    Raises:
        OSError: There is no way to that address.
        CipherMissing: This machine cannot seal.
    """

    def __init__(
        self, loop: Loop, buffers: Buffers, address: str, port: int, way: Way, events: Events
    ) -> None:
        self._loop = loop
        self._token = way.token
        self._events = events
        self._connection = dial(address, port)
        try:
            sealer, opener = Sealer(way.key, TO_SERVER), Sealer(way.key, TO_MOUNT)
        except CipherMissing:
            self._connection.close()
            raise
        self._records = Records(self._connection, buffers, sealer, opener)
        self._buffers = buffers
        self._is_open, self._is_proven = True, False
        loop.watch(self._connection.fileno(), writable=self._connected)
        self._timer = loop.call_after(PROVEN_S, self._end)

    def send(self, head: bytes, data: bytes | memoryview) -> None:
        """Sends a message and the data behind it."""
        if self._is_open:
            try:
                self._records.send(head, data)
            except Broken:
                self._loop.call_after(0.0, self._end)  # whoever sends is not to be called now
            else:
                self._watch()

    def close(self) -> None:
        """Ends it, and tells nothing more; harmless twice."""
        if self._is_open:
            self._is_open = False
            self._timer.cancel()
            self._loop.watch(self._connection.fileno())
            self._records.close()

    def _connected(self) -> None:
        if self._connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._end()
            return
        try:
            sent = self._connection.send(self._token)
        except OSError:
            sent = 0
        if sent < len(self._token):
            self._end()
            return
        self.send(b"", b"")

    def _watch(self) -> None:
        writable = self._flush if self._records.unsent_bytes else None
        self._loop.watch(self._connection.fileno(), readable=self._receive, writable=writable)

    def _flush(self) -> None:
        try:
            self._records.flush()
        except Broken:
            self._end()
        else:
            self._watch()

    def _receive(self) -> None:
        try:
            for _ in range(READ_BUDGET):
                record = self._records.receive() if self._is_open else None
                if record is None:
                    return
                if record.head:
                    self._events.came(record.head, record.data)
                else:
                    self._prove()
                if record.lent is not None:
                    self._buffers.give(record.lent)
        except Broken:
            self._end()
        else:
            # What was read from the connection is not told by it again.
            self._loop.call_after(0.0, self._receive)

    def _prove(self) -> None:
        """The server has the key: from now on everything may go this way."""
        if not self._is_proven:
            self._is_proven = True
            self._timer.cancel()
            self._events.ready()

    def _end(self) -> None:
        if self._is_open:
            self.close()
            self._events.gone()


class Dialler:
    """Makes direct connections.

    Args:
        loop: On which they run.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._buffers = Buffers()

    def dial(self, address: str, port: int, way: Way, events: Events) -> Dialled | None:
        """Begins to connect; None where that is not possible."""
        try:
            return Dialled(self._loop, self._buffers, address, port, way, events)
        except (OSError, CipherMissing) as exc:
            _log.warning("event=files-cannot-dial address=%s port=%d reason=%s", address, port, exc)
            return None
