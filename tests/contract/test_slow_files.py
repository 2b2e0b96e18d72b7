"""What a file server is at for long, and what waits there, as a mount's link sees it."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.filesystem.server.openfiles import OpenFiles
from nodeagent.filesystem.server.session import Session
from nodeagent.filesystem.server.workers import MAX_THREADS, THREADS
from ssi.protocol.filereplies import Nothing, Text
from ssi.protocol.filerequests import Cancel, Digest, Lock, Lookup, Ping, Sync
from tests.contract.servedfiles import PATIENCE_S, Mount, Served

WITHIN_S = 1.0


class SlowDisk:
    """One on which a file is written when the test says so."""

    def __init__(self) -> None:
        self.written = threading.Event()

    def sync(self, _session: Session, _body: Sync) -> Nothing:
        assert self.written.wait(PATIENCE_S)
        return Nothing()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    made = SlowDisk()
    monkeypatch.setattr(OpenFiles, "sync", made.sync)
    yield made
    made.written.set()


@pytest.fixture
def served(tmp_path: Path, disk: SlowDisk) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    disk.written.set()
    time.sleep(0.2)  # what is answered yet is answered before the socket is closed
    made.close()


@pytest.fixture
def mount(served: Served) -> Iterator[Mount]:
    made = Mount(served)
    yield made
    made.close()


def run_for(mount: Mount, duration_s: float) -> None:
    mount.loop.call_after(duration_s, mount.loop.stop)
    mount.loop.run()


def test_disk_that_is_slow_is_waited_for_as_long_as_its_server_is_there(
    mount: Mount, disk: SlowDisk
) -> None:
    handle = mount.opened(b"f", os.O_RDWR)
    # More than there are threads at first, and than there are ever.
    told = [mount.begin(Sync(handle, False), within_s=WITHIN_S) for _ in range(MAX_THREADS + 9)]
    for _ in range(6):
        run_for(mount, WITHIN_S / 2)
        assert not any(told)
    assert not mount.link.is_mute
    assert mount.answer(Lookup(b"f"))[0] == 0
    disk.written.set()
    mount.run_until(lambda: all(told))
    assert {each[0][0] for each in told} == {0}


def test_what_takes_long_elsewhere_is_in_nobodys_way(mount: Mount, disk: SlowDisk) -> None:
    handle = mount.opened(b"f", os.O_RDWR)
    told = [mount.begin(Sync(handle, False), within_s=WITHIN_S) for _ in range(3 * THREADS)]
    assert mount.answer(Digest(handle, 0, 9)) == (0, Text(b""), b"")
    assert not any(told)


def test_disk_that_is_never_done_is_given_up_and_others_are_served(
    mount: Mount, disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssi.transport.filelink.LONGEST_S", 3 * WITHIN_S)
    handle = mount.opened(b"f", os.O_RDWR)
    told = mount.begin(Sync(handle, False), within_s=WITHIN_S)
    mount.run_until(lambda: bool(told))
    assert told[0][0] == errno.ETIMEDOUT
    assert not mount.link.is_mute, "it was heard meanwhile"
    assert mount.answer(Lookup(b"f"))[0] == 0


def test_server_that_falls_silent_while_it_is_at_something_is_given_up(
    served: Served, mount: Mount, disk: SlowDisk
) -> None:
    handle = mount.opened(b"f", os.O_RDWR)
    told = mount.begin(Sync(handle, False), within_s=WITHIN_S)
    run_for(mount, 2 * WITHIN_S)
    assert not told
    served.strangers.add(mount.key.public)  # from now on it answers nothing
    mount.run_until(lambda: bool(told))
    assert told[0][0] == errno.ETIMEDOUT and mount.link.is_mute


def test_request_that_never_arrived_is_given_up_though_the_server_answers(
    mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount.opened(b"f", os.O_RDWR)
    with monkeypatch.context() as lost:
        lost.setattr(mount.link, "_transmit", lambda _pending: None)
        told = mount.begin(Lookup(b"f"), within_s=WITHIN_S)
    answered = mount.begin(Ping(), within_s=WITHIN_S)
    mount.run_until(lambda: bool(told))
    assert told[0][0] == errno.ETIMEDOUT and answered[0][0] == 0


def test_many_who_wait_for_a_lock_are_in_nobodys_way(mount: Mount) -> None:
    handle = mount.opened(b"f", os.O_RDWR)
    assert mount.answer(Lock(handle, 1, fcntl.F_WRLCK, 0, 9))[0] == 0
    waiting = [
        mount.begin(Lock(handle, owner, fcntl.F_WRLCK, 0, 9, wait=True), within_s=WITHIN_S)
        for owner in range(2, 302)
    ]
    run_for(mount, 3 * WITHIN_S)
    assert not any(waiting)
    assert mount.answer(Lookup(b"f"))[0] == 0
    assert mount.answer(Lock(handle, 1, fcntl.F_UNLCK, 0, 9))[0] == 0
    mount.run_until(lambda: any(waiting))
    assert sum(map(bool, waiting)) == 1, "one has it now"


def test_lock_that_is_granted_as_it_is_cancelled_is_told_as_granted(mount: Mount) -> None:
    handle = mount.opened(b"f", os.O_RDWR)
    assert mount.answer(Lock(handle, 1, fcntl.F_WRLCK, 0, 9))[0] == 0
    waiting = mount.begin(Lock(handle, 2, fcntl.F_WRLCK, 0, 9, wait=True))
    run_for(mount, 0.3)
    number = max(mount.link._pending)
    unlocked = mount.begin(Lock(handle, 1, fcntl.F_UNLCK, 0, 9))
    cancelled = mount.begin(Cancel(number))
    mount.run_until(lambda: bool(waiting and unlocked and cancelled))
    is_granted = waiting[0][0] == 0
    assert is_granted or waiting[0][0] == errno.EINTR
    third = mount.answer(Lock(handle, 3, fcntl.F_WRLCK, 0, 9))[0]
    assert third == (errno.EAGAIN if is_granted else 0)


def test_lock_of_an_older_server_is_waited_for_without_its_word(
    mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = mount.opened(b"f", os.O_RDWR)
    monkeypatch.setattr(mount.link._patience, "server_tells", False)
    assert mount.answer(Lock(handle, 1, fcntl.F_WRLCK, whole=False))[0] == 0
    waiting = mount.begin(Lock(handle, 2, fcntl.F_WRLCK, wait=True), within_s=WITHIN_S)
    run_for(mount, 2 * WITHIN_S)
    assert not waiting
