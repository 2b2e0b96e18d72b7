"""A connection to the file server of a node: what was asked, until when, and again.

A mount has one, and so has a command that copies files. It runs on the loop of whoever has it.

What has no answer when a connection breaks is sent again over the next one; the server remembers
the answers of what must not be done twice. The connection is made when something is asked, and
closed when nothing was for a while. To a machine that is no node none can be made: its server
comes to us, and we listen for as long as the mount stands. CURVE does not mind who calls whom.
Beside it there may be a direct connection (:mod:`ssi.transport.directpath`), over which all but the
greeting goes while it stands.
"""

from __future__ import annotations

import errno
import logging
import math
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import zmq
from msgspec import structs
from zmq.utils.monitor import parse_monitor_message

from ssi.model.errors import SsiError
from ssi.protocol import filerequests
from ssi.protocol.fileframes import Asked, decode_answered, encode
from ssi.protocol.filereplies import FileReply, Listing, Opened, Welcome
from ssi.protocol.filerequests import FileRequest, FindUnderway, FindWay, Hello, waits_for_others
from ssi.transport.directpath import Dialler, DirectPath
from ssi.transport.filepatience import LONGEST_S, FilePatience
from ssi.transport.filepending import Pending, Then
from ssi.transport.filesocket import Loop, dealer, descriptor_of
from ssi.transport.filewindow import FileWindow
from ssi.transport.keys import KeyPair
from ssi.transport.link import RETRY_REFUSED_S, Endpoint

LOST: Final = -1
"""As an error: the server has forgotten the handle that was named."""

COPY_BELOW_BYTES: Final = 65536
TICK_S: Final = 0.25
PING_S: Final = 8.0
PROBE_S: Final = 2.0
"""A server that does not answer is asked so often whether it is back."""

READ_BUDGET: Final = 64

_UNCOUNTED: Final = frozenset({filerequests.Ping, FindUnderway, filerequests.Cancel})
"""Tell of others: they are not to wait for them."""

_REFUSED: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_EVENTS: Final = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | _REFUSED

_log: Final = logging.getLogger(__name__)


class FileLink:
    """See the module.

    Args:
        context: Of this process.
        loop: On which all of it runs.
        key: Of this machine.
        endpoint: Where the server listens.
        session: 16 random bytes; those of an earlier worker, whose session then goes on.
        welcome: Called each time that a session stands.
        listens: The server connects to us, at the port of the endpoint.
        dialler: Makes direct connections; without it there are none.
        is_paced: Less is under way where the link is slow, so that others do not wait for it.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        loop: Loop,
        key: KeyPair,
        endpoint: Endpoint,
        session: bytes,
        welcome: Callable[[Welcome], None],
        *,
        listens: bool = False,
        dialler: Dialler | None = None,
        is_paced: bool = False,
    ) -> None:
        self.session = session or secrets.token_bytes(16)
        self.stands = False
        """Whether the server has welcomed us over the connection that there is."""
        self.is_mute = False
        """Whether it has said nothing for as long as something was not answered in time."""
        self._context, self._loop, self._key = context, loop, key
        self._endpoint = endpoint
        self._welcome = welcome
        self._pending: dict[int, Pending] = {}
        # A later worker goes on with the session, and must not use a number again.
        self._last_id = time.time_ns()
        self._window = FileWindow(is_paced=is_paced)
        self._patience = FilePatience(self._pending, self._window, self._ask_within)
        self._asked_s = self._heard_s = time.monotonic()
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._listens = listens
        self._is_port_taken = False
        self._connections = self._refused = 0
        self._address = ""
        self._hello_id = 0
        self._path = DirectPath(
            endpoint.node, dialler, loop,
            find=self._find_way, came=self._answered, lost=self._lost_direct,
        )  # fmt: skip
        if listens:
            self._open()

    # Asking

    def ask(
        self,
        user: str,
        group: str,
        body: FileRequest,
        then: Then,
        *,
        data: bytes | memoryview = b"",
        within_s: float,
        released: tuple[int, ...] = (),
        number: int = 0,
    ) -> int:
        """Sends a request, now or once that is possible; its number.

        It fails with ``ETIMEDOUT`` where the server has not told within ``within_s`` that it is at
        it, or not answered after :data:`LONGEST_S`; a lock may be waited for as long as one likes.

        Where an earlier link of this session may have sent it already, ``number`` is what it had
        then, by which the server knows its answer. It is below all that a link gives itself.
        """
        if not number:
            self._last_id += 1
            number = self._last_id
        asked = Asked(number, self.session, user, group, body, released)
        cost_bytes = len(data) or (body.size if isinstance(body, filerequests.Read) else 0)
        now_s, waits = time.monotonic(), waits_for_others(body)
        pending = Pending(
            asked, data, then, within_s, now_s + within_s, cost_bytes,
            until_s=math.inf if waits else now_s + max(within_s, LONGEST_S),
            is_counted=not waits and type(body) not in _UNCOUNTED,
        )  # fmt: skip
        self._pending[asked.id] = pending
        self._window.add(pending)
        if self._socket is None:
            self._open()
        self._flush()
        return asked.id

    def give_up(self, number: int) -> Pending | None:
        """Forgets a request; its answer, if one comes, is dropped."""
        pending = self._pending.pop(number, None)
        if pending is not None:
            self._window.end(pending)
        return pending

    def tick(self, *, holds: bool) -> None:
        """Gives up what is late, and keeps the session alive where files are open (``holds``)."""
        now_s = time.monotonic()
        for pending in self._patience.late(now_s, stands=self.stands):
            self.is_mute = self.is_mute or now_s - self._heard_s >= pending.within_s
            self.give_up(pending.asked.id)
            pending.then(errno.ETIMEDOUT, None, memoryview(b""))
        if self._listens and self._socket is None:
            self._open()
        if self.is_mute and not self._pending:  # how else would it be heard again
            self.ask("", "", filerequests.Ping(), _nothing, within_s=PROBE_S)
        if holds and now_s - self._asked_s > PING_S and self._socket is not None:
            self._asked_s = now_s
            self.ask("", "", filerequests.Ping(), _nothing, within_s=PING_S)

    def idle_s(self) -> float:
        """For how long nothing was asked; one that listens is never idle."""
        return 0.0 if self._pending or self._listens else time.monotonic() - self._asked_s

    def move(self, endpoint: Endpoint) -> None:
        """The server listens elsewhere."""
        self.close()
        self._endpoint = endpoint
        if self._pending:
            self._open()

    def close(self) -> None:
        """Closes the connection; the session goes on until its lease ends."""
        if self._socket is None:
            return
        for socket in (self._socket, self._monitor):
            assert socket is not None
            self._loop.watch(descriptor_of(socket))
        with suppress(zmq.ZMQError):
            self._socket.disable_monitor()
        assert self._monitor is not None
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
        self._socket = self._monitor = None
        self._connections = self._refused = 0
        self._disconnected()

    # The connection

    def _open(self) -> None:
        socket = dealer(self._context, self._key, self._endpoint)
        self._monitor = socket.get_monitor_socket(_EVENTS)
        self._socket = socket
        self._loop.watch(descriptor_of(self._monitor), readable=self._watch_connection)
        self._loop.watch(descriptor_of(socket), readable=self.drain)
        if not self._listens:
            socket.connect(self._endpoint.url)
        elif not self._bind(socket):
            return
        self._watch_connection()

    def _bind(self, socket: zmq.Socket[bytes]) -> bool:
        """Whether we listen now; else it is tried again with the next tick."""
        try:
            socket.bind(self._endpoint.url)
        except zmq.ZMQError as exc:
            if not self._is_port_taken:
                _log.warning("event=not-listening url=%s reason=%s", self._endpoint.url, exc)
            self._is_port_taken = True
            self.close()
            return False
        self._is_port_taken = False
        return True

    def _watch_connection(self) -> None:
        while self._monitor is not None:
            try:
                message = self._monitor.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            event = parse_monitor_message(message)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._connections += 1
                self._say_hello()
            elif event == zmq.EVENT_DISCONNECTED and not self._refused:
                self._connections = max(self._connections - 1, 0)
                self._disconnected()
            elif event == zmq.EVENT_DISCONNECTED:
                self._refused -= 1  # somebody without the key, who was never connected
            else:
                self._refused += 1
                if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH and not self._listens:
                    self._loop.call_after(RETRY_REFUSED_S, partial(self._try_again, self._socket))

    def _try_again(self, refused: zmq.Socket[bytes] | None) -> None:
        """Connects again, which ZeroMQ itself does not where a server did not know our key."""
        if self._socket is refused and not self._connections:
            self.close()
            if self._pending:
                self._open()

    def _disconnected(self) -> None:
        self.stands = False
        self._path.drop()
        self._send_again()
        # A server that came back may be here twice until its old connection is given up.
        if self._connections:
            self._say_hello()

    def _send_again(self) -> None:
        """All that has no answer is to be sent over the next connection, in its order."""
        self._window.begin_again(self._pending.values())

    def _find_way(self, then: Then) -> None:
        self._ask_within(FindWay(), then, PING_S)

    def _ask_within(self, body: FileRequest, then: Then, within_s: float) -> None:
        self.ask("", "", body, then, within_s=within_s)

    def _lost_direct(self) -> None:
        """What was sent over the direct connection and has no answer goes over the other one."""
        again = [each for each in self._pending.values() if each.sent and each.is_direct]
        self._window.add_again(again)
        self._flush()

    def _say_hello(self) -> None:
        if self.stands:  # over another connection: what is asked there may have no answer
            self.stands = False
            self._send_again()
        self._last_id += 1
        self._hello_id = self._last_id
        self._send([encode(Asked(self._hello_id, self.session, "", "", Hello()))])

    # Messages

    def _flush(self) -> None:
        while self.stands and (pending := self._window.next()) is not None:
            self._transmit(pending)

    def _transmit(self, pending: Pending) -> None:
        frame, data = encode(pending.asked), pending.data
        self._asked_s = time.monotonic()
        direct = self._path.stands
        pending.is_direct = direct is not None
        if direct is not None:
            direct.send(frame, data)
        else:
            # ZeroMQ keeps what it is given, longer maybe than whoever gave it.
            self._send([frame, bytes(data)] if len(data) else [frame])

    def _send(self, frames: list[bytes]) -> None:
        assert self._socket is not None
        copies = len(frames[-1]) < COPY_BELOW_BYTES
        with suppress(zmq.Again):  # the connection broke just now: it is sent over the next
            self._socket.send_multipart(frames, zmq.DONTWAIT, copy=copies)
        # To send may take in the event that an answer came, which is then not told again.
        if int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            self._loop.call_after(0.0, self.drain)

    def drain(self) -> None:
        """Takes what came."""
        for _ in range(READ_BUDGET):
            if self._socket is None:
                return
            try:
                frames = self._socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            self._take(frames)
        self._loop.call_after(0.0, self.drain)

    def _take(self, frames: list[zmq.Frame]) -> None:
        if not self.stands:
            with suppress(zmq.ZMQError):
                self._address = str(frames[0].get("Peer-Address"))
        self._answered(frames[0].bytes, frames[1].buffer if len(frames) > 1 else memoryview(b""))

    def _answered(self, frame: bytes, data: memoryview) -> None:
        try:
            answered = decode_answered(frame)
        except SsiError as exc:
            _log.warning("event=bad-file-reply node=%s reason=%s", self._endpoint.node, exc.what())
            return
        self.is_mute, self._heard_s = False, time.monotonic()
        if answered.id == self._hello_id:
            self._begin(answered.body, answered.error)
            return
        if answered.no_session:
            if self.stands:
                self._send_again()
                self._say_hello()
            return
        pending = self._pending.get(answered.id)
        if pending is not None:
            self._window.answered(pending)
            self.give_up(answered.id)
            pending.then(answered.error, answered.body, data)
        elif isinstance(answered.body, Opened | Listing) and answered.body.handle:
            # Nobody waited any more for what was opened.
            release = filerequests.Release(answered.body.handle)
            self.ask("", "", release, _nothing, within_s=PING_S)
        self._flush()

    def _begin(self, body: FileReply | None, error: int) -> None:
        if not isinstance(body, Welcome):
            _log.warning("event=files-refused node=%s error=%d", self._endpoint.node, error)
            for pending in list(self._pending.values()):
                self.give_up(pending.asked.id)
                pending.then(errno.EACCES, None, memoryview(b""))
            return
        self.stands = True
        self._patience.server_tells = body.tells_underway
        self._window.grant(body.window_requests, body.window_bytes)
        self._welcome(body)
        if not body.kept:
            self._lose_handles()
        self._flush()
        self._path.seek(self._address, body.direct_port)

    def _lose_handles(self) -> None:
        for pending in list(self._pending.values()):
            pending.asked = structs.replace(pending.asked, released=())
            if getattr(pending.asked.body, "handle", 0):
                self.give_up(pending.asked.id)
                pending.then(LOST, None, memoryview(b""))


def _nothing(_error: int, _body: FileReply | None, _data: memoryview) -> None:
    """An answer that tells only that the server lives."""
