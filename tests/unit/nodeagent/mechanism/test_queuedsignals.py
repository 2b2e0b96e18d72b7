from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nodeagent.mechanism import queuedsignals
from nodeagent.mechanism.crimage import BadImage, Field, encode_fields, join_image
from nodeagent.mechanism.pendingsignals import any_waits
from nodeagent.mechanism.threads import state_of
from tests.unit.nodeagent.mechanism.patience import eventually

CODE = """
import signal, sys, threading
mine = {signal.SIGUSR1, signal.SIGRTMIN, signal.SIGALRM}
signal.pthread_sigmask(signal.SIG_BLOCK, mine)
threading.Thread(target=signal.pause, daemon=True).start()
if sys.argv[1]:
    signal.setitimer(signal.ITIMER_REAL, 0.01)
print(flush=True)
while True:
    came = signal.sigwaitinfo(mine)
    print(signal.Signals(came.si_signo).name, flush=True)
"""

BYTES = 2


@contextmanager
def stopped(argument: str = "") -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", CODE, argument], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        try:
            yield child
        finally:
            child.kill()


def test_all_that_waits_is_read_whole_and_in_order_and_is_still_taken() -> None:
    with stopped() as child:
        assert not any_waits(child.pid)
        assert queuedsignals.read_queued(child.pid) == []
        os.kill(child.pid, signal.SIGUSR1)
        queuedsignals.send(child.pid, signal.SIGRTMIN, -7)
        queuedsignals.send(child.pid, signal.SIGRTMIN, 1 << 40)
        assert any_waits(child.pid)
        found = queuedsignals.read_queued(child.pid)
        assert [
            (queuedsignals.number_of(info), queuedsignals.value_of(info)) for info in found
        ] == [(signal.SIGUSR1, None), (signal.SIGRTMIN, -7), (signal.SIGRTMIN, 1 << 40)]
        assert {queuedsignals.sender_of(info) for info in found} == {os.getpid()}
        assert all(map(queuedsignals.is_of_a_process, found))
        eventually(lambda: state_of(f"/proc/{child.pid}") == "T")
        os.kill(child.pid, signal.SIGCONT)
        assert child.stdout is not None
        heard = sorted(child.stdout.readline() for _ in found)
        assert heard == [b"SIGRTMIN\n", b"SIGRTMIN\n", b"SIGUSR1\n"]


def test_more_than_are_read_at_once_are_all_read() -> None:
    with stopped() as child:
        for value in range(100):
            queuedsignals.send(child.pid, signal.SIGRTMIN, value)
        found = queuedsignals.read_queued(child.pid)
        assert [queuedsignals.value_of(info) for info in found] == list(range(100))


def test_what_is_sent_to_one_thread_is_found() -> None:
    with stopped() as child:
        (thread,) = {int(name) for name in os.listdir(f"/proc/{child.pid}/task")} - {child.pid}
        assert ctypes.CDLL(None).tgkill(child.pid, thread, signal.SIGUSR1) == 0
        (info,) = queuedsignals.read_queued(child.pid)
        assert queuedsignals.number_of(info) == signal.SIGUSR1
        assert queuedsignals.is_of_a_process(info)


def test_a_timer_is_no_process() -> None:
    with stopped("timer") as child:
        while not (found := queuedsignals.read_queued(child.pid)):
            pass
        assert [queuedsignals.number_of(info) for info in found] == [signal.SIGALRM]
        assert not queuedsignals.is_of_a_process(found[0])


def test_who_has_ended_cannot_be_read() -> None:
    with stopped() as child:
        child.kill()
        child.wait()
        with pytest.raises(OSError, match="No such"):
            queuedsignals.read_queued(child.pid)
        assert not any_waits(child.pid)


def image(*, shared: list[bytes], own: list[bytes]) -> bytes:
    def queue(infos: list[bytes]) -> bytes:
        return encode_fields(
            Field(1, BYTES, encode_fields([Field(1, BYTES, info)])) for info in infos
        )

    task = encode_fields([Field(10, BYTES, queue(shared))])
    thread = encode_fields([Field(9, BYTES, queue(own))])
    core = encode_fields([Field(1, 0, 1), Field(3, BYTES, task), Field(5, BYTES, thread)])
    return join_image(b"magicbyt", [core])


def test_what_criu_has_read_is_found_in_its_images(tmp_path: Path) -> None:
    infos = [bytes([number]) * queuedsignals.INFO_BYTES for number in range(5)]
    (tmp_path / "core-7.img").write_bytes(image(shared=infos[:2], own=infos[2:3]))
    (tmp_path / "core-8.img").write_bytes(image(shared=[], own=infos[3:]))
    found = queuedsignals.read_image_queued(tmp_path, 7, [7, 8])
    assert sorted(found) == infos
    assert queuedsignals.read_image_queued(tmp_path, 8, [8]) == infos[3:]


def test_other_images_are_told(tmp_path: Path) -> None:
    core = encode_fields([Field(3, 0, 5)])
    (tmp_path / "core-7.img").write_bytes(join_image(b"magicbyt", [core]))
    with pytest.raises(BadImage, match="field 3 is a number"):
        queuedsignals.read_image_queued(tmp_path, 7, [7])
