"""A Unix socket that takes requests and gives replies, each when it is ready.

The keeper and the shim both listen on one. A handler answers at once or keeps the
:class:`Answer`; a request that may wait (``wait_ms``) stands in the :class:`Server`'s line of long
polls, which is tried again after every batch of events.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from nodeagent.mechanism.loop import Loop, Timer
from nodeagent.shim.frames import BadFrame, FrameSplitter, decode_request, encode_frame
from nodeagent.shim.messages import Failed, ReplyFrame, ReplyMessage, RequestMessage
from ssi.model.errors import SsiError
from ssi.model.shim import ShimFailed

LONGEST_WAIT_S: Final = 60.0
"""Whatever ``wait_ms`` asks for."""

_READ_BYTES: Final = 256 * 1024
_MOST_UNSENT_BYTES: Final = 4 * 1024 * 1024
"""With so much not yet taken by the peer, its further requests are left unread."""

_log: Final = logging.getLogger(__name__)

Attempt: TypeAlias = Callable[[bool], ReplyMessage | None]
"""Tries to answer a long poll; the argument tells that the time is up and it must."""


class Answer:
    """The place for the reply to one request."""

    def __init__(self, connection: _Connection, number: int) -> None:
        self.connection = connection
        self._number = number
        self.given = False

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits for it."""
        return not self.given and self.connection.open

    def give(self, reply: ReplyMessage) -> None:
        """Sends the reply; lost without harm where the peer is gone."""
        assert not self.given
        self.given = True
        self.connection.send(ReplyFrame(self._number, reply))

    def fail(self, error: SsiError) -> None:
        """Sends the error."""
        self.give(Failed(word=error.word, fields=error.wire_fields()))


Handler: TypeAlias = Callable[[RequestMessage, Answer], None]


class Server:
    """Serves ``handle`` on a listening socket."""

    def __init__(self, loop: Loop, listener: socket.socket, handle: Handler) -> None:
        self._loop = loop
        self._listener = listener
        self._handle = handle
        self._connections: set[_Connection] = set()
        self._polls: list[tuple[Answer, Attempt, Timer]] = []
        self._held: list[tuple[Answer, ReplyMessage]] = []
        listener.setblocking(False)
        loop.watch(listener.fileno(), readable=self._accept)
        loop.after_events(self._try_polls)

    def long_poll(
        self, answer: Answer, wait_ms: int, attempt: Attempt, behind_s: float = 0.0
    ) -> None:
        """Answers with what ``attempt`` returns, now or once it has something.

        What it has now is held for ``behind_s`` at most, so that the reply to another poll that
        waits goes first.
        """
        wait_s = min(wait_ms / 1000, LONGEST_WAIT_S)
        reply = attempt(wait_s <= 0)
        if reply is not None and behind_s > 0 and self._polls:
            self._held.append((answer, reply))
            self._loop.call_after(behind_s, self._give_held)
            return
        if reply is not None:
            answer.give(reply)
            return
        timer = self._loop.call_after(wait_s, lambda: self._expire(answer, attempt))
        self._polls.append((answer, attempt, timer))

    def take_over(self, peer: socket.socket, number: int) -> Answer:
        """Serves a peer whose connection another server had; the place for one reply to it."""
        return Answer(_Connection(self._loop, self, peer), number)

    def is_alone_with(self, answer: Answer) -> bool:
        """Whether nobody but who asked for that is connected, and nothing else was asked."""
        waiting = any(poll.wanted for poll, _, _ in self._polls) or bool(self._held)
        return not waiting and self._connections == {answer.connection}

    def part_with(self, answer: Answer) -> socket.socket | None:
        """The peer who asked for that, who is served no more; None where he is gone."""
        return answer.connection.part()

    def note(self, connection: _Connection, *, is_open: bool) -> None:
        """A peer came or went."""
        if is_open:
            self._connections.add(connection)
        else:
            self._connections.discard(connection)

    def close(self) -> None:
        """Takes no further connections."""
        self._loop.watch(self._listener.fileno())
        self._listener.close()

    def dispatch(self, request: RequestMessage, answer: Answer) -> None:
        """Handles one request; an error of any kind becomes its reply."""
        try:
            self._handle(request, answer)
        except SsiError as exc:
            answer.fail(exc)
        except Exception as exc:
            # The rim: the peer learns of it, and the job lives on.
            _log.exception("event=request-broke request=%s", type(request).__name__)
            if answer.wanted:
                answer.fail(ShimFailed(reason=f"{type(exc).__name__}: {exc}"))

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except BlockingIOError:
            return
        _Connection(self._loop, self, peer)

    def _expire(self, answer: Answer, attempt: Attempt) -> None:
        if answer.wanted:
            reply = attempt(True)
            assert reply is not None
            answer.give(reply)

    def _try_polls(self) -> None:
        if not self._polls:
            return
        waiting, has_answered = [], False
        for answer, attempt, timer in self._polls:
            if not answer.wanted:
                timer.cancel()
                continue
            reply = attempt(False)
            if reply is None:
                waiting.append((answer, attempt, timer))
            else:
                timer.cancel()
                answer.give(reply)
                has_answered = True
        self._polls = waiting
        if has_answered:
            self._give_held()

    def _give_held(self) -> None:
        held, self._held = self._held, []
        for answer, reply in held:
            if answer.wanted:
                answer.give(reply)


class _Connection:
    """One peer. Its requests are read only while it takes its replies."""

    def __init__(self, loop: Loop, server: Server, peer: socket.socket) -> None:
        self._loop = loop
        self._server = server
        self._peer = peer
        self._splitter = FrameSplitter()
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0
        self.open = True
        server.note(self, is_open=True)
        peer.setblocking(False)
        self._watch()

    def send(self, frame: ReplyFrame) -> None:
        if not self.open:
            return
        data = memoryview(encode_frame(frame))
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        self._send()

    def part(self) -> socket.socket | None:
        """Lets go of the peer, who was sent all; None where he is gone, or takes nothing."""
        if not self.open or self._unsent:
            self._close()
            return None
        self._leave()
        return self._peer

    def _watch(self) -> None:
        self._loop.watch(
            self._peer.fileno(),
            readable=self._receive if self._unsent_bytes < _MOST_UNSENT_BYTES else None,
            writable=self._send if self._unsent else None,
        )

    def _receive(self) -> None:
        try:
            data = self._peer.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        try:
            requests = [decode_request(frame) for frame in self._splitter.feed(data)]
        except BadFrame as exc:
            _log.warning("event=bad-frame reason=%r", exc.reason)
            self._close()
            return
        for request in requests:
            self._server.dispatch(request.body, Answer(self, request.number))

    def _send(self) -> None:
        while self._unsent:
            head = self._unsent[0]
            try:
                sent = self._peer.send(head)
            except BlockingIOError:
                break
            except OSError:  # the peer went away without waiting for its replies
                self._close()
                return
            self._unsent_bytes -= sent
            if sent < len(head):
                self._unsent[0] = head[sent:]
            else:
                self._unsent.popleft()
        self._watch()

    def _close(self) -> None:
        if self.open:
            self._leave()
            self._peer.close()
            self._unsent.clear()

    def _leave(self) -> None:
        self.open = False
        self._server.note(self, is_open=False)
        self._loop.watch(self._peer.fileno())


def listen(path: Path) -> socket.socket:
    """A socket at ``path`` that only its owner can reach; a dead one there is replaced.

    Raises:
        OSError: It cannot be made, or the path is too long for a Unix socket.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.listen(64)
    return listener
