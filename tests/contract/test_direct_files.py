"""A file server and a mount's link with a direct connection beside that of CURVE."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zmq

from nodeagent.direct.sockets import listen
from nodeagent.filesystem.direct.dialled import Dialled, Dialler
from nodeagent.filesystem.direct.entrance import MAX_STRANGERS
from nodeagent.filesystem.direct.offers import MAX_OFFERS, OFFERED_S, Offers
from nodeagent.filesystem.server.accounts import Accounts, own_user
from nodeagent.filesystem.server.exports import Export, Exports
from nodeagent.filesystem.server.operations import Operations
from nodeagent.filesystem.server.paths import Paths
from nodeagent.filesystem.server.process import serving_socket
from nodeagent.filesystem.server.service import FileServer
from nodeagent.filesystem.server.tree import Tree
from nodeagent.mechanism.loop import Loop
from ssi.protocol.filereplies import Count, FileReply, Opened, Way, Welcome
from ssi.protocol.filerequests import (
    MAX_DATA_BYTES,
    Create,
    FileRequest,
    FindWay,
    Lock,
    Lookup,
    MakeDirectory,
    Read,
    Write,
)
from ssi.transport.directpath import Events
from ssi.transport.filelink import TICK_S, FileLink
from ssi.transport.gate import Gate
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint
from tests.contract.plainloop import PlainLoop

PATIENCE_S = 180.0
ME = own_user()
Answer = tuple[int, FileReply | None, bytes]


def key_pair() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public=public.decode(), secret=secret.decode())


class Served:
    """A directory, and the threads that serve it."""

    def __init__(self, root: Path, *, direct: bool = True) -> None:
        self.key, self.known = key_pair(), {"everybody"}
        self.strangers: set[str] = set()
        """Keys that are not let in, nor answered."""
        self.refused: list[str] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._gate = Gate(self._context, self._knows)
        self._socket = serving_socket(self._context, self.key.secret)
        self.port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.entrance = listen("127.0.0.1", self.port + 1) if direct else None
        operations = Operations(Paths(Tree(str(root)), lambda: Exports((Export(b""),), ())))
        self.server = FileServer(
            self._socket, self._whom, operations, Accounts(ME), lambda: None, self.entrance
        )
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()

    def _knows(self, key: str) -> bool:
        if key in self.strangers:
            self.refused.append(key)
        return key not in self.strangers

    def _whom(self, key: str, user: str) -> str | None:
        return "n1" if key not in self.strangers and self.known & {"everybody", user} else None

    def close(self) -> None:
        self.server.stop()
        self._thread.join(PATIENCE_S)
        self._socket.close(linger=0)
        self._gate.close()
        self._context.destroy(linger=0)


class Mount:
    """The end of a mount."""

    def __init__(self, served: Served, session: bytes = b"") -> None:
        self.loop = PlainLoop()
        self.key = key_pair()
        self.dialler = CountingDialler(self.loop)
        self.welcomes: list[Welcome] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        endpoint = Endpoint(
            node="n2", address="127.0.0.1", port=served.port, public_key=served.key.public
        )
        self.link = FileLink(
            self._context, self.loop, self.key, endpoint, session, self.welcomes.append,
            dialler=self.dialler,
        )  # fmt: skip
        self._tick()

    @property
    def is_direct(self) -> bool:
        return self.link._path.stands is not None

    def _tick(self) -> None:
        self.link.tick(holds=False)
        self.loop.call_after(TICK_S, self._tick)

    def begin(self, body: FileRequest, data: bytes = b"") -> list[Answer]:
        """Asks; the answer is put into what is returned."""
        told: list[Answer] = []

        def then(error: int, reply: FileReply | None, behind: memoryview) -> None:
            told.append((error, reply, bytes(behind)))
            self.loop.stop()

        self.link.ask(ME, "", body, then, data=data, within_s=PATIENCE_S)
        return told

    def answer(self, body: FileRequest, data: bytes = b"") -> Answer:
        told = self.begin(body, data)
        self.run_until(lambda: bool(told))
        return told[0]

    def opened(self, path: bytes, flags: int) -> int:
        error, reply, _ = self.answer(Create(path, flags, 0o644))
        assert error == 0 and isinstance(reply, Opened)
        return reply.handle

    def run_until(self, happened: Callable[[], bool]) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while not happened():
            assert time.monotonic() < until_s, "it did not happen in time"
            timer = self.loop.call_after(0.05, self.loop.stop)
            self.loop.run()
            timer.cancel()

    def run_until_direct(self) -> None:
        assert self.answer(Lookup(b""))[0] == 0
        self.run_until(lambda: self.is_direct)

    def close(self) -> None:
        self.link.close()
        self._context.destroy(linger=0)
        self.loop.close()


class CountingDialler(Dialler):
    """Notes what it was told of; ``port`` may be another one than the server's."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(loop)
        self.ways: list[Way] = []
        self.port: int | None = None

    def dial(self, address: str, port: int, way: Way, events: Events) -> Dialled | None:
        self.ways.append(way)
        return super().dial(address, self.port or port, way, events)


class Between:
    """Whoever sits on the cable: passes bytes on, and may harm those of the server."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._to = port
        self.harm: Callable[[bytes], bytes | None] = lambda data: data
        """What becomes of what the server sends; None cuts both connections."""
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open += [near, far]
                for source, target, is_server in ((near, far, False), (far, near, True)):
                    words = (source, target, is_server)
                    threading.Thread(target=self._pass_on, args=words, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_server: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                passed = self.harm(data) if is_server else data
                if passed is None:
                    break
                target.sendall(passed)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """From now on nobody listens there."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else it would accept one more
        self._accepting.join(PATIENCE_S)
        self._listener.close()
        for each in self._open:
            each.close()


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
