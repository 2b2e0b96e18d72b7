from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.mechanism import queuedsignals
from nodeagent.mechanism.crimage import Field, encode_fields, join_image
from nodeagent.shim.standstill import Standstill, deliver
from ssi.model.sentsignal import SentSignal

BYTES = 2
NOBODY = 0


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process that is stopped, with no handler for anything."""
    with subprocess.Popen(["sleep", "100"]) as child:
        stop(child.pid)
        yield child.pid
        child.kill()


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)


def write_image(images: Path, pid: int, infos: list[bytes]) -> None:
    entries = (Field(1, BYTES, encode_fields([Field(1, BYTES, info)])) for info in infos)
    task = encode_fields([Field(10, BYTES, encode_fields(entries))])
    core = join_image(b"magicbyt", [encode_fields([Field(3, BYTES, task)])])
    (images / f"core-{pid}.img").write_bytes(core)


def test_only_what_came_since_the_dump_is_told_and_once(tmp_path: Path, sleeper: int) -> None:
    os.kill(sleeper, signal.SIGUSR1)
    queuedsignals.send(sleeper, signal.SIGRTMIN, 3)
    write_image(tmp_path, sleeper, queuedsignals.read_queued(sleeper))
    standstill = Standstill([sleeper], tmp_path, "", NOBODY)
    assert standstill.take() == ()
    queuedsignals.send(sleeper, signal.SIGRTMIN, 3)
    os.kill(sleeper, signal.SIGTERM)
    sent = standstill.take()
    assert sorted(sent, key=lambda each: each.number) == [
        SentSignal(pid=sleeper, number=signal.SIGTERM),
        SentSignal(pid=sleeper, number=signal.SIGRTMIN, value=3),
    ]
    assert standstill.take() == ()


def test_the_stop_of_criu_is_not_told_and_that_of_others_is(tmp_path: Path, sleeper: int) -> None:
    write_image(tmp_path, sleeper, [])
    os.kill(sleeper, signal.SIGSTOP)
    assert Standstill([sleeper], tmp_path, "", os.getpid()).take() == ()
    told = Standstill([sleeper], tmp_path, "", NOBODY).take()
    assert told == (SentSignal(pid=sleeper, number=signal.SIGSTOP),)


def test_who_has_ended_was_killed(tmp_path: Path, sleeper: int) -> None:
    standstill = Standstill([sleeper], tmp_path, "", NOBODY)
    os.kill(sleeper, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper, os.WEXITED | os.WNOWAIT)
    assert standstill.take() == (SentSignal(pid=sleeper, number=signal.SIGKILL),)
    assert standstill.take() == ()


def test_images_that_cannot_be_read_are_logged(
    tmp_path: Path, sleeper: int, caplog: pytest.LogCaptureFixture
) -> None:
    os.kill(sleeper, signal.SIGTERM)
    assert Standstill([sleeper], tmp_path, "", NOBODY).take() == ()
    assert f"event=signals-not-read pid={sleeper}" in caplog.text


def test_what_is_delivered_is_what_was_sent(sleeper: int, caplog: pytest.LogCaptureFixture) -> None:
    gone = 2**22  # above the largest pid
    deliver(
        [
            SentSignal(pid=sleeper, number=signal.SIGRTMIN, value=-5),
            SentSignal(pid=gone, number=signal.SIGTERM),
            SentSignal(pid=sleeper, number=signal.SIGUSR2),
        ]
    )
    found = queuedsignals.read_queued(sleeper)
    told = [(queuedsignals.number_of(info), queuedsignals.value_of(info)) for info in found]
    assert told == [(signal.SIGRTMIN, -5), (signal.SIGUSR2, None)]
    assert "event=not-delivered" in caplog.text
