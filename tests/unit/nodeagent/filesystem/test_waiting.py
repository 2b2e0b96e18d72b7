"""Programs that were sent a signal while the server has their request."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.filesystem.fuse.abi import Opcode
from tests.unit.nodeagent.filesystem.mounted import ROOT, Mounted, entry


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    mounted = Mounted(tmp_path)
    yield mounted
    mounted.close()


def interrupted(mounted: Mounted) -> int:
    number = mounted.request(Opcode.LOOKUP, b"name\0", ROOT)
    mounted.request(Opcode.INTERRUPT, struct.pack("=Q", number), 0)
    assert mounted.answers() == {}
    return number


def time_passes(mounted: Mounted) -> None:
    due, mounted.loop.callbacks = mounted.loop.callbacks, []
    for callback in due:
        callback()


def test_one_that_handles_the_signal_waits_for_the_answer(mounted: Mounted) -> None:
    mounted.tid = os.getpid()
    number = interrupted(mounted)
    for _ in range(3):
        time_passes(mounted)
        assert mounted.answers() == {}
    mounted.answer(reply=entry(0))
    assert mounted.answers() == {number: 0}
    time_passes(mounted)
    assert mounted.answers() == {} and mounted.loop.callbacks == []


def test_one_that_is_to_end_waits_no_longer(mounted: Mounted) -> None:
    with subprocess.Popen(["sleep", "60"]) as program:
        mounted.tid = program.pid
        number = interrupted(mounted)
        time_passes(mounted)
        assert mounted.answers() == {}, "it was not killed yet, and no other signal is told"
        program.kill()
        program.wait()
    time_passes(mounted)
    assert mounted.answers() == {number: errno.EINTR}


def test_what_was_put_off_goes_to_no_other_file_once_the_mount_has_ended(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    mounted.mount.beliefs.absence_told()
    mounted.request(Opcode.GETXATTR, struct.pack("=II", 0, 0) + b"ssi.doubt\0", ROOT)
    before = set(os.listdir("/proc/self/fd"))
    mounted.close()
    others = [os.memfd_create(str(number)) for number in range(len(before))]
    time_passes(mounted)
    assert [os.fstat(other).st_size for other in others] == [0] * len(others)
    for other in others:
        os.close(other)
