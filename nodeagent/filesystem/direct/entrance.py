"""The server's end of direct connections.

Whoever connects names an offer by its token, and then has to seal with the key of it. Until then
it is a stranger, of whom there may be few, and for a short time.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from nodeagent.direct.buffers import Buffers
from nodeagent.direct.records import Broken, Record, Records
from nodeagent.direct.sockets import prepare
from nodeagent.filesystem.direct.offers import TOKEN_BYTES, Offer, Offers
from nodeagent.mechanism.aesgcm import CipherMissing, Sealer

TO_SERVER: Final = 1
TO_MOUNT: Final = 2
STRANGE_S: Final = 2.0
MAX_STRANGERS: Final = 64
MAX_UNSENT_BYTES: Final = 256 * 1024 * 1024
"""A peer that asks for so much more than it takes is let go of; no mount's window allows it."""

_log: Final = logging.getLogger(__name__)


class Peer:
    """A connection whose other end has the key of an offer. Any thread.

    Attributes:
        key: The public key to which the offer was made.
    """

    def __init__(
        self, connection: socket.socket, offer: Offer, buffers: Buffers, poll: select.epoll
    ) -> None:
        self.key = offer.peer
        self._connection = connection
        self._poll = poll
        sealer, opener = Sealer(offer.key, TO_MOUNT), Sealer(offer.key, TO_SERVER)
        self._records = Records(connection, buffers, sealer, opener)
        self._sending, self._receiving = threading.Lock(), threading.Lock()
        self._is_open = True
        self._waits_to_send = False

    def send(self, frames: Sequence[bytes]) -> None:
        """Sends a message and the data behind it; to one that is gone, nothing."""
        with self._sending:
            if self._is_open:
                with self._hanging_up():
                    self._records.send(frames[0], frames[1] if len(frames) > 1 else b"")

    def flush(self) -> None:
        """Sends on what did not go out at once."""
        with self._sending:
            if self._is_open:
                with self._hanging_up():
                    self._records.flush()

    def receive(self) -> Record | None:
        """What has come next; None where there is no more.

        Raises:
            Broken: Nothing will come any more.
        """
        with self._receiving:
            while self._is_open:
                record = self._records.receive()
                if record is None or record.head:
                    # The next may be received before this one is done with.
                    if record is not None and record.lent is None:
                        record.data = memoryview(bytes(record.data))
                    return record
                self.send([b""])  # it asks whether we have the key as well
        return None

    def close(self) -> None:
        """Ends it."""
        with self._receiving, self._sending:
            if self._is_open:
                self._is_open = False
                self._poll.unregister(self._connection)
                self._records.close()

    @contextmanager
    def _hanging_up(self) -> Iterator[None]:
        """Where nothing can be sent any more, whoever leads learns of it as it receives."""
        try:
            yield
            if self._records.unsent_bytes > MAX_UNSENT_BYTES:
                raise Broken("it does not take its answers")
        except Broken:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            return
        waits = self._records.unsent_bytes > 0
        if waits != self._waits_to_send:
            self._waits_to_send = waits
            events = select.EPOLLIN | select.EPOLLOUT if waits else select.EPOLLIN
            self._poll.modify(self._connection, events)


class Entrance:
    """Lets in who has an offer. But for :meth:`offer`, used by whoever leads.

    Args:
        listener: Non-blocking.
        poll: Tells whoever leads what is ready.
        buffers: For large records.
    """

    def __init__(self, listener: socket.socket, poll: select.epoll, buffers: Buffers) -> None:
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._poll = poll
        self._buffers = buffers
        self._offers = Offers()
        self._strangers: dict[int, tuple[socket.socket, float]] = {}
        self._peers: dict[int, Peer] = {}
        poll.register(listener, select.EPOLLIN)

    def offer(self, peer: str) -> Offer:
        """A connection that the owner of a public key may make."""
        return self._offers.make(peer)

    def peer(self, descriptor: int) -> Peer | None:
        """Whose connection is ready; None where it was a stranger's, or nobody's."""
        if descriptor == self._listener.fileno():
            self._accept()
        elif descriptor in self._strangers:
            return self._introduce(descriptor)
        return self._peers.get(descriptor)

    def peers(self) -> list[int]:
        """The descriptors of all who were let in."""
        return list(self._peers)

    def drop(self, descriptor: int) -> None:
        """Ends a connection."""
        peer = self._peers.pop(descriptor, None)
        if peer is not None:
            peer.close()

    def sweep(self) -> None:
        """Ends the connections of strangers who have been silent."""
        now_s = time.monotonic()
        for descriptor, (_, until_s) in list(self._strangers.items()):
            if until_s <= now_s:
                self._turn_away(descriptor)

    def close(self) -> None:
        """Lets nobody in any more, and ends what there is."""
        self._listener.close()
        for descriptor in list(self._strangers):
            self._turn_away(descriptor)
        for descriptor in list(self._peers):
            self.drop(descriptor)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it has gone again, or there are too many open files just now
        if len(self._strangers) >= MAX_STRANGERS:
            connection.close()
            return
        prepare(connection)
        self._strangers[connection.fileno()] = (connection, time.monotonic() + STRANGE_S)
        self._poll.register(connection, select.EPOLLIN)

    def _introduce(self, descriptor: int) -> Peer | None:
        connection, _ = self._strangers[descriptor]
        try:
            token = connection.recv(TOKEN_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            token = b""
        # One that comes in pieces is not one of ours: it is the first thing on the connection.
        offer = self._offers.take(token)
        if offer is None:
            _log.warning("event=direct-refused reason=no-such-offer")
            self._turn_away(descriptor)
            return None
        del self._strangers[descriptor]
        try:
            peer = self._peers[descriptor] = Peer(connection, offer, self._buffers, self._poll)
        except CipherMissing:
            connection.close()
            return None
        return peer

    def _turn_away(self, descriptor: int) -> None:
        connection, _ = self._strangers.pop(descriptor)
        with suppress(OSError):
            self._poll.unregister(connection)
        connection.close()
