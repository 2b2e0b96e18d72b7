"""When the server is told of open files that nobody needs any more."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from nodeagent.filesystem.mount.handles import File
from nodeagent.filesystem.mount.nodes import Nodes
from nodeagent.filesystem.mount.released import AT_ONCE, Released
from nodeagent.mechanism.loop import Loop, Timer
from ssi.protocol.filerequests import Release

NODE = Nodes().root


class Timers(Loop):
    """Calls back when the test says so, and watches nothing."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def call_after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        self.waiting.append(callback)
        return Timer(delay_s, len(self.waiting), callback)

    def fire(self) -> None:
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()


class Server:
    """A server that is told."""

    def __init__(self, *, takes: bool = True) -> None:
        self.timers = Timers()
        self.told: list[tuple[int, ...]] = []
        self.released = Released(self.timers, self._tell)
        self.released.are_taken = takes

    def _tell(self, body: Release) -> None:
        self.told.append((body.handle, *body.others))

    def close(self, handle: int, flags: int = os.O_RDONLY, *, has_flock: bool = False) -> None:
        self.released.add(File(1, handle, NODE, flags, "u", "", has_flock=has_flock))


def test_next_request_tells_what_was_closed_before_it() -> None:
    server = Server()
    server.close(5)
    server.close(6, os.O_WRONLY)
    assert server.released.take() == (5, 6) and server.released.take() == ()
    server.timers.fire()
    assert server.told == []


def test_written_file_is_told_soon_where_no_request_follows() -> None:
    server = Server()
    server.close(5)
    assert server.timers.waiting == [], "one that was only read is in nobody's way"
    server.close(6, os.O_RDWR)
    server.close(7, os.O_RDWR)
    assert len(server.timers.waiting) == 1
    server.timers.fire()
    assert server.told == [(5, 6, 7)]


def test_many_are_told_at_once() -> None:
    server = Server(takes=False)
    for handle in range(1, AT_ONCE + 2):
        server.close(handle)
    assert server.released.take() == (), "a server that does not take them is not told so"
    assert server.told == [tuple(range(1, AT_ONCE + 1))]


@pytest.mark.parametrize("takes", [True, False])
def test_locks_are_given_back_at_once(takes: bool) -> None:
    server = Server(takes=takes)
    server.close(5, has_flock=True)
    assert server.told == [(5,)]


def test_written_file_is_told_at_once_where_the_server_takes_none_with_requests() -> None:
    server = Server(takes=False)
    server.close(5, os.O_WRONLY)
    assert server.told == [(5,)]


def test_what_was_told_to_nobody_is_told_again() -> None:
    server = Server()
    server.close(5)
    taken, life = server.released.take(), server.released.lives
    server.released.again(taken, life)
    assert server.released.take() == (5,)


def test_number_of_a_session_that_is_gone_is_never_told_in_the_next() -> None:
    """History: 1 a request with it has no answer; 2 the server forgets all; 3 it is given up."""
    server = Server()
    server.close(5)
    taken, life = server.released.take(), server.released.lives
    server.released.forget()
    server.released.again(taken, life)
    assert server.released.take() == ()
