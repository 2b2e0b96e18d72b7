"""The end of a command that is told before it: nothing that comes afterwards can spoil it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable

import pytest

from ssi.cli.warm import child
from ssi.cli.warm import request as wire

PATIENCE_S = 60.0


def told_by(ending: Callable[[], None]) -> tuple[bytes, int]:
    """What the stub of a command that ends so hears, to the end of its connection; its status."""
    ours, its = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(its.fileno(), child.CONNECTION)
            os.closerange(child.CONNECTION + 1, 1000)
            sys.stdout, sys.stderr = (os.fdopen(each, "w", closefd=False) for each in (1, 2))
            ending()
        finally:
            os._exit(9)
    with ours:
        its.close()
        ours.settimeout(PATIENCE_S)
        heard = b"".join(iter(lambda: ours.recv(100), b""))
    return heard, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def busy_afterwards() -> None:
    child._tell_early(3)
    for number in child.HANGING_UP:  # as the warm process does, for the stub has gone
        os.kill(os.getpid(), number)
    print("nobody reads this", flush=True)
    with socket.socket(socket.AF_UNIX) as opened:
        assert opened.fileno() > child.CONNECTION
    child._tell_end(3)
    os._exit(5)


def test_an_end_that_is_told_early_is_told_once_and_survives_the_hang_up() -> None:
    assert told_by(busy_afterwards) == (wire.exited(3), 5)


def with_a_full_disk() -> None:
    sys.stdout = open("/dev/full", "w")  # noqa: SIM115 - as the command's own
    print("this cannot be written")
    child._tell_early(0)
    sys.stdout = sys.__stdout__
    child._tell_end(120)
    os._exit(5)


def test_an_end_that_depends_on_output_is_not_told_early() -> None:
    assert told_by(with_a_full_disk) == (wire.exited(120), 5)


@pytest.mark.parametrize("status", [0, 255])
def test_an_end_that_is_told_at_the_end_reaches_the_stub(status: int) -> None:
    def ending() -> None:
        child._tell_end(status)
        os._exit(status)

    assert told_by(ending) == (wire.exited(status), status)
