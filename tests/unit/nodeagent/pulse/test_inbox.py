"""The inbox of the heartbeat plane, on real sockets of ZeroMQ."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
import zmq

from nodeagent.pulse.inbox import Inbox

SOON_MS = 10_000


Socket = zmq.Socket[bytes]
Pairs = Callable[[], tuple[Socket, Socket]]


@pytest.fixture
def pairs() -> Iterator[Pairs]:
    """Makes pairs of connected sockets, and closes what is left of them."""
    context: zmq.Context[Socket] = zmq.Context()
    made: list[Socket] = []

    def make() -> tuple[Socket, Socket]:
        ours, theirs = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        made.extend((ours, theirs))
        ours.bind(f"inproc://{len(made)}")
        theirs.connect(f"inproc://{len(made)}")
        return ours, theirs

    yield make
    for each in made:
        each.close(linger=0)
    context.term()


def read_all(socket: Socket) -> list[bytes]:
    found = []
    while socket.poll(0):
        found.append(socket.recv(zmq.DONTWAIT))
    return found


def until(inbox: Inbox, wanted: Socket) -> None:
    """A wait may end for what a socket had to look after, without a message."""
    for _ in range(100):
        if wanted in inbox.wait(0.1):
            return
    raise AssertionError("the inbox told nothing")


def test_only_the_sockets_that_have_messages_are_told(pairs: Pairs) -> None:
    inbox = Inbox()
    made = [pairs() for _ in range(20)]
    for ours, _ in made:
        inbox.add(ours)
    made[7][1].send(b"a")
    until(inbox, made[7][0])
    assert read_all(made[7][0]) == [b"a"]
    assert inbox.wait(0.0) == []
    inbox.close()


def test_what_came_before_a_socket_was_added_is_told(pairs: Pairs) -> None:
    ours, theirs = pairs()
    theirs.send(b"a")
    assert ours.poll(SOON_MS)
    inbox = Inbox()
    inbox.add(ours)
    assert inbox.wait(0.0) == [ours]
    inbox.close()


def test_a_socket_that_is_not_read_to_its_end_is_told_again_once_it_is_said(pairs: Pairs) -> None:
    ours, theirs = pairs()
    inbox = Inbox()
    inbox.add(ours)
    for each in (b"a", b"b", b"c"):
        theirs.send(each)
    until(inbox, ours)
    assert ours.recv(zmq.DONTWAIT) == b"a"
    inbox.touched(ours)
    assert inbox.wait(10.0) == [ours]
    assert read_all(ours) == [b"b", b"c"]
    inbox.close()


def test_a_message_that_a_send_looked_after_is_not_lost(pairs: Pairs) -> None:
    """A send takes in what other threads told its socket; the descriptor is silent then."""
    ours, theirs = pairs()
    inbox = Inbox()
    inbox.add(ours)
    for round_of in range(200):
        word = str(round_of).encode()
        theirs.send(word)
        ours.send(b"x")
        inbox.touched(ours)
        until(inbox, ours)
        assert read_all(ours) == [word]
    inbox.close()


def test_a_watched_descriptor_ends_the_wait_and_tells_no_socket() -> None:
    inbox = Inbox()
    wake = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    inbox.watch(wake)
    assert inbox.wait(10.0) == []
    os.close(wake)
    inbox.close()


def test_a_socket_that_was_removed_is_told_no_more(pairs: Pairs) -> None:
    inbox = Inbox()
    ours, theirs = pairs()
    inbox.add(ours)
    theirs.send(b"a")
    assert ours.poll(SOON_MS)
    inbox.touched(ours)
    inbox.remove(ours)
    assert inbox.wait(0.0) == []
    ours.close(linger=0)
    inbox.close()
