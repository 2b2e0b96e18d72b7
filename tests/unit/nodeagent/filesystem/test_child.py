"""Which processes the warden forks, and when; no process is forked here."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from itertools import count

import pytest

from nodeagent.filesystem.child import Child
from nodeagent.mechanism.loop import Loop, Timer


class FakeLoop(Loop):
    """A loop whose timers and children end when the test says so."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []
        self.exits: dict[int, Callable[[int], None]] = {}

    def call_after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(delay_s, 0, callback))
        return self.timers[-1]

    def on_exit(self, pid: int, callback: Callable[[int], None]) -> None:
        self.exits[pid] = callback


class FakeSocket:
    """An end of a pair that carries nothing."""

    def setblocking(self, flag: bool) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What signals were sent to whom; each fork has a pid of its own, from 1 on."""
    pids = count(1)
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(socket, "socketpair", lambda *_: (FakeSocket(), FakeSocket()))
    monkeypatch.setattr(os, "fork", lambda: next(pids))
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


def idle(_orders: socket.socket) -> None:
    """Never called: nothing is forked."""


@pytest.mark.usefixtures("killed")
def test_a_child_that_ended_is_forked_again_and_told_again() -> None:
    loop, told = FakeLoop(), list[str]()
    child = Child(loop, "worker", idle, lambda: told.append("all"))
    child.start()
    loop.exits.pop(1)(137)
    assert not child.is_running
    loop.timers.pop().fire()
    assert (child.is_running, list(loop.exits), told) == (True, [2], ["all", "all"])


@pytest.mark.usefixtures("killed")
def test_a_child_that_was_wanted_sooner_is_not_forked_once_more_when_its_delay_is_over() -> None:
    loop = FakeLoop()
    child = Child(loop, "worker", idle)
    child.start()
    loop.exits.pop(1)(137)
    child.start()  # something is mounted, which cannot wait
    loop.timers.pop().fire()
    assert list(loop.exits) == [2]


def test_a_child_that_is_given_up_is_not_forked_again(killed: list[tuple[int, int]]) -> None:
    loop = FakeLoop()
    child = Child(loop, "worker", idle)
    child.start()
    child.end()
    loop.exits.pop(1)(0)
    loop.timers.pop().fire()
    assert (child.is_running, loop.exits, killed) == (False, {}, [(1, signal.SIGTERM)])


def test_a_child_that_is_renewed_is_forked_again_at_once(killed: list[tuple[int, int]]) -> None:
    loop = FakeLoop()
    child = Child(loop, "worker", idle)
    child.renew()  # there is none
    delays = list[float]()
    for number in (1, 2, 3):
        child.start()
        child.renew()
        loop.exits.pop(number)(137)
        delays.append(loop.timers.pop().due_s)
    child.start()
    loop.exits.pop(4)(137)
    assert delays == [0.0] * 3
    assert loop.timers.pop().due_s > 0.0, "one that ends by itself again and again waits"
    assert killed == [(pid, signal.SIGKILL) for pid in (1, 2, 3)]
