"""A child that waits for a command: it takes one whenever it comes, and runs it once or never."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import pytest

from ssi.cli.warm import request as wire
from ssi.cli.warm.rehearsal import rehearse
from ssi.cli.warm.spare import Caller, Rehearse, Spare
from ssi.cli.warm.standing import standing_of

BODY = b"1\0ssi\0HOME=/"
PATIENCE_S = 60.0


def echo(request: wire.Request, descriptors: Sequence[int], _caller: Caller) -> NoReturn:
    os.write(descriptors[0], " ".join(request.words).encode())
    os._exit(7)


@contextmanager
def spare_that(rehearses: Rehearse) -> Iterator[Spare]:
    spare = Spare.fork(lambda: None, rehearses, echo)
    try:
        yield spare
    finally:
        spare.close()


def given(spare: Spare, told: socket.socket) -> None:
    """Gives it the command once it is ready to be given one."""
    spare._channel.setblocking(True)
    spare._channel.settimeout(PATIENCE_S)
    with open(os.devnull) as null:
        descriptors = [told.fileno()] + [null.fileno()] * (wire.DESCRIPTORS - 1)
        caller = Caller(pid=os.getpid(), standing=standing_of(os.getpid()))
        assert spare.give(BODY, descriptors, caller)


def never_enough(is_enough: Callable[[], bool]) -> None:
    """Leaves off when it is told to, and otherwise only after a minute."""
    signal.alarm(int(PATIENCE_S))
    while not is_enough():
        pass
    signal.alarm(0)


def broken(_is_enough: Callable[[], bool]) -> None:
    raise ValueError("nobody asked for this")


@pytest.mark.parametrize("rehearses", [rehearse, never_enough, broken])
def test_command_runs_once_however_the_rehearsal_goes(rehearses: Rehearse) -> None:
    ours, its = socket.socketpair()
    ours.settimeout(PATIENCE_S)
    with ours, spare_that(rehearses) as spare:
        with its:
            given(spare, its)
        assert ours.recv(100) == b"ssi"
        assert ours.recv(100) == b""
        assert os.waitstatus_to_exitcode(os.waitpid(spare.pid, 0)[1]) == 7


def test_without_a_command_it_ends_also_in_the_middle_of_its_rehearsal() -> None:
    with spare_that(never_enough) as spare:
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(spare.pid, 0)[1]) == 0
