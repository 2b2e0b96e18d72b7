"""A file server and a mount's link with a direct connection beside that of CURVE."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.filesystem.direct.dialled import Dialler
from nodeagent.filesystem.direct.entrance import MAX_STRANGERS
from nodeagent.filesystem.direct.offers import MAX_OFFERS, OFFERED_S, Offers
from ssi.protocol.filereplies import Count, Way
from ssi.protocol.filerequests import (
    MAX_DATA_BYTES,
    FindWay,
    Lock,
    Lookup,
    MakeDirectory,
    Read,
    Write,
)
from ssi.transport.directpath import Events
from tests.contract.plainloop import PlainLoop
from tests.contract.servedfiles import PATIENCE_S, Between, Mount, Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.close()


@pytest.fixture
def mount(served: Served) -> Iterator[Mount]:
    made = Mount(served)
    yield made
    made.close()


@pytest.fixture
def between(served: Served, mount: Mount) -> Iterator[Between]:
    assert served.entrance is not None
    made = Between(served.entrance.getsockname()[1])
    mount.dialler.port = made.port
    yield made
    made.close()


def test_large_and_small_go_both_ways_over_the_direct_connection(
    mount: Mount, tmp_path: Path
) -> None:
    mount.run_until_direct()
    content = os.urandom(MAX_DATA_BYTES)
    handle = mount.opened(b"f", os.O_RDWR)
    for offset, size in ((0, MAX_DATA_BYTES), (MAX_DATA_BYTES, 5), (MAX_DATA_BYTES + 5, 70_000)):
        told = mount.answer(Write(handle, offset), content[:size])
        assert told[:2] == (0, Count(size))
    assert (tmp_path / "f").read_bytes() == content + content[:5] + content[:70_000]
    assert mount.answer(Read(handle, 0, MAX_DATA_BYTES))[2] == content
    assert mount.answer(Read(handle, MAX_DATA_BYTES - 5, 10))[2] == content[-5:] + content[:5]
    assert mount.answer(Lookup(b"nothing"))[0] == errno.ENOENT
    assert mount.is_direct and len(mount.dialler.ways) == 1


def test_nothing_waits_for_ever_where_both_ends_have_much_to_say(mount: Mount) -> None:
    """History: 1 both send more than the kernel holds; 2 each would wait until the other reads."""
    mount.run_until_direct()
    handle = mount.opened(b"f", os.O_RDWR)
    content = os.urandom(MAX_DATA_BYTES)
    assert mount.answer(Write(handle, 0), content)[0] == 0
    told = []
    for number in range(60):
        told.append(mount.begin(Write(handle, (1 + number) * MAX_DATA_BYTES), content))
        told.append(mount.begin(Read(handle, 0, MAX_DATA_BYTES)))
    mount.run_until(lambda: all(told))
    assert all(each[0][0] == 0 for each in told)
    assert all(each[0][2] == content for each in told[1::2])
    assert mount.is_direct


def test_without_an_entrance_all_goes_over_curve(tmp_path: Path) -> None:
    served = Served(tmp_path, direct=False)
    mount = Mount(served)
    try:
        assert mount.answer(Lookup(b""))[0] == 0
        assert mount.answer(FindWay())[0] == errno.EOPNOTSUPP
        assert not mount.is_direct and mount.welcomes[0].direct_port == 0
    finally:
        mount.close()
        served.close()


def test_port_that_nobody_can_reach_is_no_harm(mount: Mount, between: Between) -> None:
    between.close()
    assert mount.answer(Lookup(b""))[0] == 0
    mount.run_until(lambda: bool(mount.dialler.ways))
    handle = mount.opened(b"f", os.O_RDWR)
    assert mount.answer(Write(handle, 0), b"abc")[0] == 0
    assert mount.answer(Read(handle, 0, 9))[2] == b"abc"
    assert not mount.is_direct


def test_server_that_does_not_have_the_key_is_never_believed(
    mount: Mount, between: Between
) -> None:
    between.harm = lambda _data: b""
    assert mount.answer(Lookup(b""))[0] == 0
    mount.run_until(lambda: bool(mount.dialler.ways))
    assert mount.answer(Lookup(b"nothing"))[0] == errno.ENOENT
    assert not mount.is_direct


def test_what_was_done_once_is_not_done_again_where_its_answer_is_lost(
    mount: Mount, between: Between, tmp_path: Path
) -> None:
    """History: 1 append; 2 it is done; 3 the answer is lost; 4 it is asked for over CURVE."""
    mount.run_until_direct()
    handle = mount.opened(b"f", os.O_WRONLY | os.O_APPEND)
    between.harm = lambda _data: None
    told = mount.answer(Write(handle, 0), b"one line\n")
    assert told[:2] == (0, Count(9))
    assert (tmp_path / "f").read_bytes() == b"one line\n"
    assert not mount.is_direct and len(mount.welcomes) == 1, "the session goes on"
    between.harm = lambda data: data
    mount.run_until(lambda: mount.is_direct)
    assert mount.answer(Write(handle, 0), b"another\n")[0] == 0
    assert (tmp_path / "f").read_bytes() == b"one line\nanother\n"


def test_changed_byte_of_an_answer_is_never_believed(mount: Mount, between: Between) -> None:
    mount.run_until_direct()
    handle = mount.opened(b"f", os.O_RDWR)
    content = os.urandom(300_000)
    assert mount.answer(Write(handle, 0), content)[0] == 0
    between.harm = lambda data: data[:-1] + bytes([data[-1] ^ 1])
    assert mount.answer(Read(handle, 0, 300_000))[2] == content
    assert not mount.is_direct


def test_key_that_is_revoked_has_no_say_on_a_connection_that_is_open(
    served: Served, mount: Mount
) -> None:
    mount.run_until_direct()
    served.strangers.add(mount.key.public)
    told = mount.begin(MakeDirectory(b"d", 0o755))
    mount.loop.call_after(0.5, mount.loop.stop)  # an answer would come long before
    mount.loop.run()
    assert told == [] and mount.is_direct
    served.strangers.clear()
    assert mount.answer(Lookup(b"d"))[0] == errno.ENOENT, "it was not done either"


def test_who_may_not_speak_for_a_user_is_told_so(served: Served, mount: Mount) -> None:
    mount.run_until_direct()
    served.known = {""}
    assert mount.answer(MakeDirectory(b"d", 0o755))[0] == errno.EACCES


def test_who_is_refused_is_let_in_once_the_gate_knows_the_key(served: Served, mount: Mount) -> None:
    served.strangers.add(mount.key.public)
    told = mount.begin(Lookup(b""))
    mount.run_until(lambda: mount.key.public in served.refused)
    assert told == []
    served.strangers.clear()
    mount.run_until(lambda: bool(told))
    assert told[0][0] == 0


def test_node_goes_on_with_its_session_by_another_key(
    served: Served, mount: Mount, tmp_path: Path
) -> None:
    mount.run_until_direct()
    handle = mount.opened(b"f", os.O_RDWR)
    assert mount.answer(Lock(handle, 1, fcntl.F_WRLCK, whole=True))[0] == 0
    other = Mount(served, mount.link.session)
    try:
        served.strangers.add(mount.key.public)
        assert other.answer(Write(handle, 0), b"by another key")[0] == 0
        assert [each.kept for each in other.welcomes] == [True]
        with (tmp_path / "f").open("rb") as file:
            assert file.read() == b"by another key"
            with pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        other.close()


def ended(connection: socket.socket) -> bool:
    connection.settimeout(PATIENCE_S)
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("first", [b"GET / HTTP/1.0\r\n\r\n", b"x", bytes(16) + b"\xff" * 64])
def test_who_has_no_offer_is_turned_away(served: Served, first: bytes) -> None:
    assert served.entrance is not None
    with socket.create_connection(served.entrance.getsockname()) as stranger:
        stranger.sendall(first)
        assert ended(stranger)


def test_token_without_its_key_lets_nobody_in_and_is_spent(served: Served, mount: Mount) -> None:
    assert served.entrance is not None
    mount.run_until_direct()
    error, way, _ = mount.answer(FindWay())
    assert error == 0 and isinstance(way, Way)
    for _ in range(2):
        with socket.create_connection(served.entrance.getsockname()) as stranger:
            stranger.sendall(way.token + b"\x10\0\0\0" + bytes(32))
            assert ended(stranger)
    assert mount.answer(Lookup(b""))[0] == 0 and mount.is_direct, "others are not disturbed"


def test_strangers_who_say_nothing_do_not_keep_others_out(served: Served, mount: Mount) -> None:
    assert served.entrance is not None
    at = served.entrance.getsockname()
    crowd = [socket.create_connection(at) for _ in range(MAX_STRANGERS + 6)]
    try:
        assert any(ended(each) for each in crowd[MAX_STRANGERS:]), "too many at once"
        assert all(ended(each) for each in crowd), "nor do they stay"
        mount.run_until_direct()
    finally:
        for each in crowd:
            each.close()


def test_why_nothing_can_be_dialled_is_told(caplog: pytest.LogCaptureFixture) -> None:
    loop = PlainLoop()
    ignored = Events(lambda: None, lambda _head, _data: None, lambda: None)
    assert Dialler(loop).dial("no-number", 1, Way(b"t" * 16, b"k" * 32), ignored) is None
    loop.close()
    assert "event=files-cannot-dial address=no-number port=1 reason=" in caplog.text


def test_offer_is_good_once_and_not_for_long() -> None:
    now_s = 0.0
    offers = Offers(lambda: now_s)
    first, second = offers.make("a"), offers.make("b")
    assert first.token != second.token and first.key != second.key
    assert offers.take(first.token) == first and offers.take(first.token) is None
    now_s = OFFERED_S
    assert offers.take(second.token) is None
    many = [offers.make("c") for _ in range(MAX_OFFERS + 1)]
    assert offers.take(many[0].token) is None and offers.take(many[1].token) == many[1]
    assert many[1].key.hex() not in repr(many[1]) and repr(many[1].key) not in repr(many[1])
