from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nodeagent.mechanism.pendingsignals import is_killed

CODE = """
import os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
print(flush=True)
os.read(0, 1)
"""


@contextmanager
def stopped() -> Iterator[int]:
    """A process that takes no signal but SIGKILL, as one in a system call that cannot be ended."""
    with subprocess.Popen(
        [sys.executable, "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        try:
            yield child.pid
        finally:
            child.kill()


@pytest.mark.parametrize(
    ("number", "killed"),
    [
        (signal.SIGTERM, True),
        (signal.SIGQUIT, True),
        (signal.SIGINT, False),
        (signal.SIGUSR1, False),
        (signal.SIGUSR2, False),
        (signal.SIGHUP, False),
        (signal.SIGCHLD, False),
        (signal.SIGTSTP, False),
    ],
)
def test_only_what_ends_a_process_has_killed_it(number: signal.Signals, killed: bool) -> None:
    with stopped() as pid:
        assert not is_killed(pid)
        os.kill(pid, number)
        assert is_killed(pid) is killed


def test_one_that_has_ended_was_killed() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert is_killed(child.pid)
