"""What a mount knows once its server has forgotten it, and what the worker after it knows."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from nodeagent.filesystem.fuse import decoding, requests
from nodeagent.filesystem.fuse.abi import Opcode
from nodeagent.filesystem.mount.memory import Memory
from nodeagent.filesystem.server import session
from nodeagent.filesystem.server.router import Route
from nodeagent.filesystem.server.session import Session
from ssi.protocol.fileframes import Asked, encode
from ssi.protocol.filereplies import Listing, Welcome
from ssi.protocol.filerequests import SetAttributes
from tests.unit.nodeagent.filesystem.mounted import FILE, HANDLE, ROOT, Mounted, entry

DIRECTORY = 9


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    made = Mounted(tmp_path)
    made.mount.memory.opened(made.file)
    yield made
    made.close()


def forget(mounted: Mounted) -> None:
    mounted.mount.welcome(
        Welcome(
            boot="b",
            kept=False,
            users={},
            groups={},
            lease_s=40.0,
            window_requests=256,
            window_bytes=1 << 24,
        )
    )


def test_the_next_worker_uses_no_number_that_is_another_files_by_now(
    mounted: Mounted, tmp_path: Path
) -> None:
    mounted.file.has_flock = True
    forget(mounted)
    (after,) = Memory(tmp_path / "journal").handles.files.values()
    assert (after.handle, after.is_lost, after.error) == (HANDLE, True, errno.EIO)


def test_a_lost_lock_is_told_by_each_close_and_other_losses_once(mounted: Mounted) -> None:
    flush = struct.pack("=QIIQ", FILE, 0, 0, 5)
    mounted.file.error = errno.EIO
    first, second = mounted.request(Opcode.FLUSH, flush), mounted.request(Opcode.FLUSH, flush)
    assert mounted.answers() == {first: errno.EIO, second: 0}
    mounted.file.has_flock = True
    forget(mounted)
    first, second = mounted.request(Opcode.FLUSH, flush), mounted.request(Opcode.FLUSH, flush)
    assert mounted.answers() == {first: errno.EIO, second: errno.EIO}


def test_a_listing_whose_rest_is_lost_is_asked_for_again_and_not_at_its_end(
    mounted: Mounted,
) -> None:
    mounted.request(Opcode.OPENDIR, struct.pack("=II", 0, 0), node=ROOT)
    whole = [(b"a", entry(1)), (b"b", entry(1)), (b"c", entry(1))]
    mounted.answer(reply=Listing(DIRECTORY, whole[:1]))
    (number,) = mounted.mount.handles.directories
    read = struct.pack("=QQIIQII", number, 3, 4096, 0, 0, 0, 0)  # after ".", ".." and "a"
    forget(mounted)
    mounted.replies()
    asked = mounted.request(Opcode.READDIR, read, node=ROOT)
    mounted.server.asked = [each for each in mounted.server.asked if "Open" in repr(each[0])]
    mounted.answer(reply=Listing(0, whole))
    _error, told = mounted.replies()[asked]
    assert b"b" in told and b"c" in told


def test_what_is_waited_for_is_not_forgotten_for_what_was_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "MAX_ANSWERS", 3)
    served, route = Session("n1"), cast("Route", object())
    assert served.begin(1, route) is True
    for number in range(2, 10):
        assert served.begin(number, route) is True
        assert served.end(number, (b"done",)) is route
    assert served.end(1, (b"granted",)) is route, "whoever waits for a lock hears of it"
    assert len(served.answers) <= 4


def test_a_time_that_no_clock_can_tell_is_the_nearest_one() -> None:
    of_1601 = (1 << 64) - 11_644_473_600
    payload = struct.pack("=IIQQQQQQIIIIIIII", 32, 0, 0, 0, 0, 0, of_1601, *[0] * 9)
    size = decoding.HEADER.size + len(payload)
    head = decoding.HEADER.pack(size, Opcode.SETATTR, 1, ROOT, 0, 0, 1, 0, 0)
    _header, body = decoding.decode(memoryview(head + payload))
    assert isinstance(body, requests.SetAttr)
    assert body.mtime_ns == -(1 << 63)
    asked = SetAttributes(b"", HANDLE, mtime_ns=body.mtime_ns)
    assert encode(Asked(1, b"", "root", "", asked)), "it fits into a message"
