"""The file server's sockets and threads.

One thread leads: it reads requests, and carries out at once, as the user who asks, what takes a
moment only. To hand each to another thread costs more than most of them take, and makes the
threads wait for each other (measured). What may take longer goes to a few others, and so does
everything for a while after something took long. Where the leader is stuck, say in a file system
that hangs, the main thread lets another one lead. Whoever has an answer sends it, by the connection
over which it was asked for. What is kept for a mount is bounded by what it may have under way
(``window_requests``, ``window_bytes``).
"""

from __future__ import annotations

import errno
import logging
import os
import select
import socket as sockets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import zmq

from nodeagent.direct.buffers import Buffer, Buffers
from nodeagent.direct.records import Broken
from nodeagent.filesystem.direct.entrance import Entrance
from nodeagent.filesystem.server import credentials
from nodeagent.filesystem.server.accounts import Accounts, names_of
from nodeagent.filesystem.server.credentials import Identity
from nodeagent.filesystem.server.delay import Delay
from nodeagent.filesystem.server.operations import NOBODYS, Operations
from nodeagent.filesystem.server.repetition import REPEATABLE
from nodeagent.filesystem.server.router import CurveRoute, Route, Router
from nodeagent.filesystem.server.session import Frames, Session
from nodeagent.filesystem.server.waiting import Waiting
from nodeagent.filesystem.server.work import Work
from nodeagent.filesystem.server.workers import Workers
from ssi.model.errors import SsiError
from ssi.protocol import filerequests
from ssi.protocol.fileframes import Answered, Asked, decode_asked, encode
from ssi.protocol.filereplies import Nothing, Underway, Way, Welcome
from ssi.protocol.filerequests import waits_for_others

MAX_STUCK: Final = 6
"""So many leaders may be stuck before no other one is tried."""

STUCK_S: Final = 0.3
"""A leader that is busy with one request for so long has a successor."""

SLOW_S: Final = 0.02
WARY_S: Final = 1.0
"""After a request took longer than ``SLOW_S``, all are handed on for so long: on a disk that is
slow they are better carried out beside each other."""

ROOT: Final = Identity(user="root", uid=0, gid=0, groups=())
LEASE_S: Final = 40.0
"""A mount that was silent for so long is gone: its files are closed and its locks given back."""

WINDOW_REQUESTS: Final = 256
WINDOW_BYTES: Final = 32 * 1024 * 1024
_TICK_S: Final = 1.0
_NOTHING: Final = memoryview(b"")

_log: Final = logging.getLogger(__name__)


class FileServer:
    """Serves until :meth:`stop`.

    Args:
        socket: A ROUTER that is bound.
        whom: The node or client that a key belongs to, and whether it may name a user.
        operations: Carry out requests.
        accounts: Of this node.
        tick: Called about once a second.
        entrance: Non-blocking, listens for direct connections; None where there are to be none.
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        whom: Callable[[str, str], str | None],
        operations: Operations,
        accounts: Accounts,
        tick: Callable[[], None],
        entrance: sockets.socket | None = None,
    ) -> None:
        self._whom = whom
        self._operations = operations
        self._accounts = accounts
        self._tick = tick
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # By whose they are, not by key: a node that is given another one goes on with its files.
        self._sessions: dict[tuple[str, bytes], Session] = {}
        self._workers = Workers(self._do)
        self._waiting = Waiting()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._router = Router(socket, self._look)
        self._buffers = Buffers()
        self._poll = select.epoll()
        self._poll.register(self._router.descriptor, select.EPOLLIN)
        self._poll.register(self._wake, select.EPOLLIN)
        self._entrance = None if entrance is None else Entrance(entrance, self._poll, self._buffers)
        self._stopped = threading.Event()
        self._leader = 0
        self._leading: set[int] = set()
        self._busy_since_s = 0.0
        self._wary_until_s = 0.0
        self._delay = Delay()

    def run(self) -> None:
        """Serves. This thread stays root, as those do that it starts until they have work."""
        self._workers.start()
        leader: threading.Thread | None = None
        while not self._stopped.is_set():
            if len(self._leading) <= MAX_STUCK:
                self._leader += 1
                self._leading.add(self._leader)
                self._busy_since_s = 0.0
                leader = threading.Thread(target=self._lead, args=(self._leader,), daemon=True)
                leader.start()
            self._watch_leader()
        self._workers.stop()
        if leader is not None:
            leader.join(STUCK_S)
        for session in list(self._sessions.values()):
            session.close()
        if self._entrance is not None:
            self._entrance.close()

    def stop(self) -> None:
        """Lets :meth:`run` return; any thread."""
        self._stopped.set()
        self._look()

    def act(self, use: Callable[[zmq.Socket[bytes]], None]) -> None:
        """Does something with the socket; any thread."""
        self._router.act(use)

    def _look(self) -> None:
        """Whoever leads looks for what there is; any thread."""
        os.eventfd_write(self._wake, 1)

    def _watch_leader(self) -> None:
        """Returns where the leader is stuck, or at the end."""
        while not self._stopped.wait(STUCK_S):
            self._workers.look()
            since_s = self._busy_since_s
            if since_s and time.monotonic() - since_s > STUCK_S:
                _log.warning("event=file-request-stuck leader=%d", self._leader)
                self._wary_until_s = time.monotonic() + LEASE_S
                return

    # On the thread that leads

    def _lead(self, turn: int) -> None:
        ticked_s, self._delay = time.monotonic(), Delay()
        self._drain(turn)
        for descriptor in self._entrance.peers() if self._entrance is not None else ():
            self._serve_direct(descriptor, select.EPOLLIN, turn)
        while not self._stopped.is_set() and self._leader == turn:
            self._try_waiting()
            if time.monotonic() - ticked_s >= _TICK_S:
                ticked_s = time.monotonic()
                self._become(ROOT)
                self._sweep(ticked_s)
                self._tick()
                self._delay.grown_s()
            for descriptor, events in self._poll.poll(min(_TICK_S, self._waiting.due_s())):
                if self._leader != turn:
                    break  # whoever leads now is told of the rest
                if descriptor in {self._wake, self._router.descriptor}:
                    self._drain(turn)
                else:
                    self._serve_direct(descriptor, events, turn)
        self._leading.discard(turn)

    def _become(self, identity: Identity) -> None:
        if self._accounts.changes_identity and identity is not self._accounts.nobody:
            credentials.become(identity)

    def _drain(self, turn: int) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        while self._leader == turn:
            frames = self._router.receive()
            if frames is None:
                return
            if 2 <= len(frames) <= 3:
                route = CurveRoute(self._router, frames[0].bytes)
                data = frames[2].buffer if len(frames) == 3 else _NOTHING
                self._take(str(frames[-1].get("User-Id")), route, frames[1].bytes, data)

    def _serve_direct(self, descriptor: int, events: int, turn: int) -> None:
        assert self._entrance is not None
        peer = self._entrance.peer(descriptor)
        if peer is None:
            return
        if events & select.EPOLLOUT:
            peer.flush()
        try:
            while self._leader == turn and (record := peer.receive()) is not None:
                self._take(peer.key, peer, record.head, record.data, record.lent)
        except Broken:
            self._entrance.drop(descriptor)

    def _take(
        self, key: str, route: Route, frame: bytes, data: memoryview, lent: Buffer | None = None
    ) -> None:
        try:
            asked = decode_asked(frame)
        except SsiError as exc:
            _log.warning("event=bad-file-request peer=%s reason=%s", key[:8], exc.what())
            return
        name = self._whom(key, asked.user)
        if name is None and self._whom(key, "") is None:
            return  # a key that was exchanged, or taken back: as if its connection were cut
        if name is None:
            _log.warning("event=file-request-refused peer=%s user=%s", key[:8], asked.user)
            route.send((encode(Answered(asked.id, errno.EACCES)),))
            return
        session = self._sessions.get((name, asked.session))
        if isinstance(asked.body, filerequests.Hello):
            self._welcome(route, name, asked, session)
            return
        if session is None:
            route.send((encode(Answered(asked.id, errno.ESTALE, no_session=True)),))
            return
        session.heard_s = time.monotonic()
        for handle in asked.released:
            session.release(handle)
        self._schedule(key, Work(session, asked, data, route, lent))

    def _welcome(self, route: Route, name: str, asked: Asked, session: Session | None) -> None:
        kept = session is not None
        if session is None:
            session = self._sessions[name, asked.session] = Session(name)
            _log.info("event=files-session node=%s", name)
        session.heard_s = time.monotonic()
        users, groups = names_of()
        port = self._entrance.port if self._entrance is not None else 0
        welcome = Welcome(
            self._boot,
            kept,
            users,
            groups,
            LEASE_S,
            WINDOW_REQUESTS,
            WINDOW_BYTES,
            port,
            takes_released=True,
            tells_underway=True,
        )
        route.send((encode(Answered(asked.id, 0, welcome)),))

    def _schedule(self, key: str, work: Work) -> None:
        asked, body = work.asked, work.asked.body
        if isinstance(body, filerequests.Ping):
            self._answer(work, (encode(Answered(asked.id, 0, Nothing())),))
        elif isinstance(body, filerequests.FindWay):
            self._answer(work, (self._way(key, asked),))
        elif isinstance(body, filerequests.FindUnderway):
            found = Underway(tuple(work.session.underway.intersection(body.requests)))
            self._answer(work, (encode(Answered(asked.id, 0, found)),))
        elif isinstance(body, filerequests.Cancel):
            self._cancel(work, body.request)
        elif isinstance(body, filerequests.Bye):
            self._end(work.session)
            self._answer(work, (encode(Answered(asked.id, 0, Nothing())),))
        elif type(body) not in REPEATABLE:
            before = work.session.begin(asked.id, work.route)
            if before is True:
                self._begin(work)
            elif before:  # it was done already, and its answer was lost
                work.route.send(before)
        else:
            self._begin(work)

    def _way(self, key: str, asked: Asked) -> bytes:
        if self._entrance is None:
            return encode(Answered(asked.id, errno.EOPNOTSUPP))
        offer = self._entrance.offer(key)
        return encode(Answered(asked.id, 0, Way(offer.token, offer.key)))

    def _begin(self, work: Work) -> None:
        work.session.underway.add(work.asked.id)
        began_s = time.monotonic()
        if not work.is_quick or began_s < self._wary_until_s:
            self._workers.put(work)
            return
        turn, self._busy_since_s = self._leader, began_s
        self._do(work)
        if self._leader == turn:
            self._busy_since_s = 0.0
            listed = isinstance(work.asked.body, filerequests.OpenDirectory | filerequests.ListMore)
            took_s = time.monotonic() - began_s
            if took_s > SLOW_S and not listed and took_s - self._delay.grown_s() > SLOW_S:
                self._wary_until_s = time.monotonic() + WARY_S

    def _cancel(self, work: Work, request: int) -> None:
        waiting = self._waiting.take(work.session, request)
        if waiting is not None:
            self._answer(waiting, (encode(Answered(waiting.asked.id, errno.EINTR)),))
        self._answer(work, (encode(Answered(work.asked.id, 0, Nothing())),))

    def _try_waiting(self) -> None:
        for each in self._waiting.ready():
            self._workers.put(each)

    def _sweep(self, now_s: float) -> None:
        for session in list(self._sessions.values()):
            if now_s - session.heard_s > LEASE_S:
                _log.info("event=files-lease-ended node=%s", session.node)
                self._end(session)
        if self._entrance is not None:
            self._entrance.sweep()

    def _end(self, session: Session) -> None:
        self._waiting.drop(session)
        for key, each in list(self._sessions.items()):
            if each is session:
                del self._sessions[key]
        session.close()
        self._waiting.hurry()

    # On any thread

    def _do(self, work: Work) -> None:
        try:
            frames = self._performed(work)
        except OSError as exc:
            frames = (encode(Answered(work.asked.id, exc.errno or errno.EIO)),)
        except Exception:
            _log.exception("event=file-request-broke kind=%s", type(work.asked.body).__name__)
            frames = (encode(Answered(work.asked.id, errno.EIO)),)
        if work.lent is not None:
            lent, work.lent, work.data = work.lent, None, _NOTHING
            self._buffers.give(lent)
        if frames is not None:
            self._answer(work, frames)

    def _performed(self, work: Work) -> Frames | None:
        asked, session = work.asked, work.session
        identity = self._identity(session, asked)
        self._become(identity)
        try:
            reply, data = self._operations.perform(session, asked, work.data, identity)
        except BlockingIOError:
            if waits_for_others(asked.body):
                if self._waiting.add(work):
                    return None
                return (encode(Answered(asked.id, errno.EINTR)),)
            raise
        if waits_for_others(asked.body):
            self._waiting.granted(session, asked.id)
        gives_back = isinstance(asked.body, filerequests.Lock | filerequests.Release)
        if gives_back and self._waiting.hurry():
            self._look()
        frame = encode(Answered(asked.id, 0, reply))
        return (frame, data) if data else (frame,)

    def _identity(self, session: Session, asked: Asked) -> Identity:
        """As whom a request is carried out: who opened the handle that it names, or who asks."""
        opener = self._operations.identity_of_handle(session, asked.body)
        if opener is not None:
            return opener
        if type(asked.body) in NOBODYS:
            return self._accounts.nobody
        return self._accounts.identity(asked.user, asked.group)

    def _answer(self, work: Work, frames: Frames) -> None:
        work.session.underway.discard(work.asked.id)
        route: Route | None = work.route
        if type(work.asked.body) not in REPEATABLE:
            # The bytes of an opened file are only to save time.
            route = work.session.end(work.asked.id, frames[:1])
        if route is not None:
            route.send(frames)
