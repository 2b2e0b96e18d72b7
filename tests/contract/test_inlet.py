"""The shim's end of a job's stdin, over a real pipe: how much of it the job has read."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator

import pytest

from nodeagent.mechanism.loop import Loop
from nodeagent.shim.pump import Inlet
from nodeagent.shim.stream import Stream

WRITER = b"somebody"


class Stdin:
    """A pipe that a job would read, and its other end."""

    def __init__(self, loop: Loop) -> None:
        self.read_end, write_end = os.pipe()
        self.size = fcntl.fcntl(write_end, fcntl.F_GETPIPE_SZ)
        os.set_blocking(write_end, False)
        self.inlet = Inlet(loop, write_end, Stream(), terminal=False)
        self.inlet.resume()

    def give(self, data: bytes, *, end: bool = False) -> None:
        start = self.inlet.writers.taken(WRITER, 0)
        assert self.inlet.take(WRITER, start, data, end=end) == start + len(data)


@pytest.fixture
def stdin(loop: Loop) -> Iterator[Stdin]:
    made = Stdin(loop)
    yield made
    made.inlet.close()


def test_what_a_job_has_read_is_known_whatever_was_given(stdin: Stdin) -> None:
    assert stdin.inlet.consumed() == 0
    stdin.give(b"x" * (stdin.size + 1000))  # more than the pipe holds
    assert stdin.inlet.consumed() == 0
    os.read(stdin.read_end, 300)
    assert stdin.inlet.consumed() == 300
    stdin.inlet.flush()
    stdin.give(b"the end", end=True)
    assert stdin.inlet.consumed() == 300
    os.close(stdin.read_end)
    assert stdin.inlet.consumed() == 300


def test_what_is_left_is_known_once_neither_end_is_open(stdin: Stdin) -> None:
    stdin.give(b"one\ntwo\n", end=True)
    os.read(stdin.read_end, 4)
    os.close(stdin.read_end)
    assert stdin.inlet.consumed() == 4


def test_what_was_given_in_vain_counts_for_nothing(stdin: Stdin) -> None:
    stdin.give(b"x" * (stdin.size + 1000))
    os.read(stdin.read_end, stdin.size)
    os.close(stdin.read_end)
    stdin.inlet.flush()
    assert stdin.inlet.closed
    assert stdin.inlet.consumed() == stdin.size
