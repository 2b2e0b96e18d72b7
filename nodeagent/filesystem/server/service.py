"""The file server's sockets and threads.

One thread leads: it reads requests, and carries out at once, as the user who asks, what takes a
moment only. To hand each to another thread costs more than most of them take, and makes the
threads wait for each other (measured). What may take longer goes to a few others, and so does
everything for a while after something took long. Where the leader is stuck, say in a file system
that hangs, the main thread lets another one lead. Whoever has an answer sends it.

A ROUTER drops what it cannot send at its high-water mark, so it has none; what bounds it is that a
mount may have only so much under way (``window_requests``, ``window_bytes``).
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import zmq
from msgspec import structs

from nodeagent.filesystem.server import credentials
from nodeagent.filesystem.server.accounts import Accounts, names_of
from nodeagent.filesystem.server.credentials import Identity
from nodeagent.filesystem.server.operations import NOBODYS, Operations
from nodeagent.filesystem.server.session import Frames, Session
from nodeagent.filesystem.server.waiting import Waiting, WaitingLock
from ssi.model.errors import SsiError
from ssi.protocol import filerequests
from ssi.protocol.fileframes import Answered, Asked, decode_asked, encode
from ssi.protocol.filereplies import Nothing, Welcome
from ssi.protocol.filerequests import REPEATABLE

THREADS: Final = 6
MAX_STUCK: Final = 6
"""So many leaders may be stuck before no other one is tried."""

STUCK_S: Final = 0.3
"""A leader that is busy with one request for so long has a successor."""

SLOW_S: Final = 0.02
WARY_S: Final = 1.0
"""After a request took longer than ``SLOW_S``, all are handed on for so long: on a disk that is
slow they are better carried out beside each other."""

QUICK_BYTES: Final = 256 * 1024
ROOT: Final = Identity(user="root", uid=0, gid=0, groups=())
LEASE_S: Final = 40.0
"""A mount that was silent for so long is gone: its files are closed and its locks given back."""

WINDOW_REQUESTS: Final = 256
WINDOW_BYTES: Final = 32 * 1024 * 1024
LONG: Final = frozenset(
    {
        filerequests.Sync,
        filerequests.SyncDirectory,
        filerequests.Allocate,
        filerequests.CopyRange,
        filerequests.Digest,
    }
)
"""Requests that may well take long."""

_TICK_S: Final = 1.0
_COPY_BELOW_BYTES: Final = 65536

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Work:
    """A request that waits for a thread."""

    session: Session
    asked: Asked
    data: memoryview


class FileServer:
    """Serves until :meth:`stop`.

    Args:
        socket: A ROUTER that is bound.
        whom: The node or client that a key belongs to, and whether it may name a user.
        operations: Carry out requests.
        accounts: Of this node.
        tick: Called about once a second.
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        whom: Callable[[str, str], str | None],
        operations: Operations,
        accounts: Accounts,
        tick: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._whom = whom
        self._operations = operations
        self._accounts = accounts
        self._tick = tick
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        self._sessions: dict[tuple[str, bytes], Session] = {}
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._waiting = Waiting()
        self._lock = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stopped = threading.Event()
        self._leader = 0
        self._leading: set[int] = set()
        self._busy_since_s = 0.0
        self._wary_until_s = 0.0

    def run(self) -> None:
        """Serves. This thread stays root, as those do that it starts until they have work."""
        for _ in range(THREADS):
            threading.Thread(target=self._carry_out, daemon=True).start()
        while not self._stopped.is_set():
            if len(self._leading) <= MAX_STUCK:
                self._leader += 1
                self._leading.add(self._leader)
                self._busy_since_s = 0.0
                threading.Thread(target=self._lead, args=(self._leader,), daemon=True).start()
            self._watch_leader()
        for _ in range(THREADS):
            self._work.put(None)
        for session in list(self._sessions.values()):
            session.close()

    def stop(self) -> None:
        """Lets :meth:`run` return; any thread."""
        self._stopped.set()
        os.eventfd_write(self._wake, 1)

    def act(self, use: Callable[[zmq.Socket[bytes]], None]) -> None:
        """Does something with the socket; any thread."""
        with self._lock:
            use(self._socket)
        os.eventfd_write(self._wake, 1)

    def _watch_leader(self) -> None:
        """Returns where the leader is stuck, or at the end."""
        while not self._stopped.wait(STUCK_S):
            since_s = self._busy_since_s
            if since_s and time.monotonic() - since_s > STUCK_S:
                _log.warning("event=file-request-stuck leader=%d", self._leader)
                self._wary_until_s = time.monotonic() + LEASE_S
                return

    # On the thread that leads

    def _lead(self, turn: int) -> None:
        poller = select.poll()
        poller.register(int(self._socket.getsockopt(zmq.FD)), select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        ticked_s = time.monotonic()
        while not self._stopped.is_set() and self._leader == turn:
            self._drain(turn)
            self._try_waiting()
            if time.monotonic() - ticked_s >= _TICK_S:
                ticked_s = time.monotonic()
                self._become(ROOT)
                self._sweep(ticked_s)
                self._tick()
            poller.poll(min(_TICK_S, self._waiting.due_s()) * 1000)
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
        self._leading.discard(turn)

    def _become(self, identity: Identity) -> None:
        if self._accounts.changes_identity and identity is not self._accounts.nobody:
            credentials.become(identity)

    def _drain(self, turn: int) -> None:
        while self._leader == turn:
            with self._lock:
                try:
                    frames = self._socket.recv_multipart(zmq.DONTWAIT, copy=False)
                except zmq.Again:
                    return
            self._take(frames)

    def _take(self, frames: list[zmq.Frame]) -> None:
        routing_id, key = frames[0].bytes, str(frames[-1].get("User-Id"))
        if not 2 <= len(frames) <= 3:
            return
        try:
            asked = decode_asked(frames[1].bytes)
        except SsiError as exc:
            _log.warning("event=bad-file-request peer=%s reason=%s", key[:8], exc.what())
            return
        name = self._whom(key, asked.user)
        if name is None:
            _log.warning("event=file-request-refused peer=%s user=%s", key[:8], asked.user)
            self._send(routing_id, [encode(Answered(asked.id, errno.EACCES))])
            return
        session = self._sessions.get((key, asked.session))
        if isinstance(asked.body, filerequests.Hello):
            self._welcome(routing_id, key, name, asked, session)
            return
        if session is None:
            answer = Answered(asked.id, errno.ESTALE, no_session=True)
            self._send(routing_id, [encode(answer)])
            return
        session.routing_id, session.heard_s = routing_id, time.monotonic()
        self._schedule(session, asked, frames[2].buffer if len(frames) == 3 else memoryview(b""))

    def _welcome(
        self, routing_id: bytes, key: str, name: str, asked: Asked, session: Session | None
    ) -> None:
        kept = session is not None
        if session is None:
            session = self._sessions[key, asked.session] = Session(name, routing_id)
            _log.info("event=files-session node=%s", name)
        session.routing_id, session.heard_s = routing_id, time.monotonic()
        users, groups = names_of()
        welcome = Welcome(self._boot, kept, users, groups, LEASE_S, WINDOW_REQUESTS, WINDOW_BYTES)
        self._send(routing_id, [encode(Answered(asked.id, 0, welcome))])

    def _schedule(self, session: Session, asked: Asked, data: memoryview) -> None:
        body = asked.body
        if isinstance(body, filerequests.Ping):
            self._answer(session, asked, [encode(Answered(asked.id, 0, Nothing()))])
        elif isinstance(body, filerequests.Cancel):
            self._cancel(session, asked, body.request)
        elif isinstance(body, filerequests.Bye):
            self._end(session)
            self._answer(session, asked, [encode(Answered(asked.id, 0, Nothing()))])
        elif type(body) not in REPEATABLE:
            before = session.begin(asked.id)
            if before is True:
                self._begin(Work(session, asked, data))
            elif before:  # it was done already, and its answer was lost
                self._send(session.routing_id, before)
        else:
            self._begin(Work(session, asked, data))

    def _begin(self, work: Work) -> None:
        began_s = time.monotonic()
        if not _is_quick(work) or began_s < self._wary_until_s:
            self._work.put(work)
            return
        turn, self._busy_since_s = self._leader, began_s
        self._do(work)
        if self._leader == turn:
            self._busy_since_s = 0.0
            listed = isinstance(work.asked.body, filerequests.OpenDirectory | filerequests.ListMore)
            if time.monotonic() - began_s > SLOW_S and not listed:
                self._wary_until_s = time.monotonic() + WARY_S

    def _cancel(self, session: Session, asked: Asked, request: int) -> None:
        waiting = self._waiting.take(session, request)
        if waiting is not None:
            self._finish(session, waiting.asked, errno.EINTR)
        self._answer(session, asked, [encode(Answered(asked.id, 0, Nothing()))])

    def _try_waiting(self) -> None:
        for each in self._waiting.ready():
            self._work.put(Work(each.session, each.asked, memoryview(b"")))

    def _sweep(self, now_s: float) -> None:
        for session in list(self._sessions.values()):
            if now_s - session.heard_s > LEASE_S:
                _log.info("event=files-lease-ended node=%s", session.node)
                self._end(session)

    def _end(self, session: Session) -> None:
        self._waiting.drop(session)
        for key, each in list(self._sessions.items()):
            if each is session:
                del self._sessions[key]
        session.close()
        self._waiting.hurry()

    # On any thread

    def _carry_out(self) -> None:
        while (work := self._work.get()) is not None:
            self._do(work)

    def _do(self, work: Work) -> None:
        try:
            frames = self._performed(work)
        except OSError as exc:
            frames = [encode(Answered(work.asked.id, exc.errno or errno.EIO))]
        except Exception:
            _log.exception("event=file-request-broke kind=%s", type(work.asked.body).__name__)
            frames = [encode(Answered(work.asked.id, errno.EIO))]
        if frames is not None:
            self._answer(work.session, work.asked, frames)

    def _performed(self, work: Work) -> Frames | None:
        asked, session = work.asked, work.session
        identity = self._identity(session, asked)
        self._become(identity)
        try:
            reply, data = self._operations.perform(session, asked, work.data, identity)
        except BlockingIOError:
            if isinstance(asked.body, filerequests.Lock) and asked.body.wait:
                if self._waiting.add(WaitingLock(session, asked)):
                    return None
                return [encode(Answered(asked.id, errno.EINTR))]
            raise
        if isinstance(asked.body, filerequests.Lock) and self._is_unwanted(session, asked):
            freed = structs.replace(asked.body, kind=fcntl.F_UNLCK)
            self._operations.locks.take(session, freed)
        if isinstance(asked.body, filerequests.Lock | filerequests.Release):
            self._waiting.hurry()
            os.eventfd_write(self._wake, 1)
        frame = encode(Answered(asked.id, 0, reply))
        return [frame, data] if data else [frame]

    def _is_unwanted(self, session: Session, asked: Asked) -> bool:
        body = asked.body
        waits = isinstance(body, filerequests.Lock) and body.wait
        return waits and self._waiting.was_cancelled(session, asked.id)

    def _identity(self, session: Session, asked: Asked) -> Identity:
        """As whom a request is carried out: who opened the handle that it names, or who asks."""
        opener = self._operations.identity_of_handle(session, asked.body)
        if opener is not None:
            return opener
        if type(asked.body) in NOBODYS:
            return self._accounts.nobody
        return self._accounts.identity(asked.user, asked.group)

    def _finish(self, session: Session, asked: Asked, error: int) -> None:
        self._answer(session, asked, [encode(Answered(asked.id, error))])

    def _answer(self, session: Session, asked: Asked, frames: Frames) -> None:
        if type(asked.body) not in REPEATABLE:
            session.end(asked.id, frames[:1])  # bytes of an opened file are only to save time
        self._send(session.routing_id, frames)

    def _send(self, routing_id: bytes, frames: Frames) -> None:
        with self._lock:
            try:
                copies = len(frames[-1]) < _COPY_BELOW_BYTES
                self._socket.send_multipart([routing_id, *frames], zmq.DONTWAIT, copy=copies)
            except zmq.ZMQError as exc:
                if exc.errno not in {zmq.EHOSTUNREACH, zmq.EAGAIN}:
                    raise
            # The descriptor is edge-triggered: to send may have taken the event away.
            more = int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN
        if more:
            os.eventfd_write(self._wake, 1)


def _is_quick(work: Work) -> bool:
    """Whether a request takes a moment, but for what no one can know beforehand."""
    body = work.asked.body
    if isinstance(body, filerequests.Read):
        return body.size <= QUICK_BYTES
    if isinstance(body, filerequests.Write):
        return len(work.data) <= QUICK_BYTES
    return type(body) not in LONG
