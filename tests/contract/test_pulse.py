"""Heartbeat threads over the loopback, with real sockets and keys."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zmq

from nodeagent.pulse import link, route
from nodeagent.pulse.heart import Heart, Told
from nodeagent.pulse.route import Routes
from nodeagent.register import Register
from nodeagent.vouchers import Vouchers
from ssi.mesh.event import TakeEntries
from ssi.mesh.vouching import signer_of
from ssi.model.node import NodeState, Roster, RosterEntry
from ssi.transport.gate import Gate
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint
from tests.contract.wire import make_key

LIMIT_S = 60.0


@dataclass
class Beating:
    """A node as far as heartbeats and the roster go."""

    name: str
    folder: Path
    incarnation: int = 1000
    key: KeyPair = field(default_factory=make_key)
    port: int = 0
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.signer = signer_of(self.name, self.key.secret)
        vouchers = Vouchers(self.folder / "vouchers", self.signer)
        roster, clients = self.folder / "roster", self.folder / "clients"
        self.register = Register(self.name, roster, clients, vouchers)
        self.open()

    def open(self) -> None:
        self.heart = Heart(
            self.name,
            self.incarnation,
            self.key,
            knows=self.register.knows,
            entries=self.register.signed_since,
            tell=self.told.append,
        )
        self.port = self.heart.bind("127.0.0.1", self.port)
        self.register.on_change(self.heart.install)
        self.heart.start()

    def start_again(self) -> None:
        self.heart.stop(leaves=False)
        self.incarnation += 1
        self.open()
        assert self.register.roster is not None
        self.heart.install(self.register.roster)

    def entry(self, number: int) -> RosterEntry:
        return RosterEntry(
            name=self.name,
            number=number,
            public_key=self.key.public,
            address="127.0.0.1",
            control_port=1,
            bulk_port=1,
            pulse_port=self.port,
            signing_key=self.signer.public,
        )

    def state(self, name: str) -> NodeState | None:
        member = self.heart.member(name)
        return member.state if member is not None and member.ever_heard else None


class Cable:
    """A connection to a port that can be cut so that either end still takes it for whole."""

    def __init__(self, port: int) -> None:
        self._there = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.carried = 0
        self.cut = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                self._ends.append(near)
                far = socket.create_connection(self._there)
            except OSError:  # one of both listens no more
                return
            self._ends.append(far)
            self.carried += 1
            for source, sink in ((near, far), (far, near)):
                ends = (source, sink, self.carried == 1)
                self._threads.append(threading.Thread(target=self._carry, args=ends, daemon=True))
                self._threads[-1].start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_first: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if not (is_first and self.cut.is_set()):
                    sink.sendall(data)
        except OSError:
            return  # one end closed it

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(LIMIT_S)
        for each in self._ends:
            with suppress(OSError):  # the other end has closed it already
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(LIMIT_S)
        for each in (self._listener, *self._ends):
            each.close()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Beating]]:
    made = [Beating(name, tmp_path / name) for name in ("n1", "n2", "n3")]
    yield made
    for node in made:
        node.heart.stop(leaves=False)


def roster(version: int, *nodes: Beating) -> Roster:
    entries = tuple(node.entry(number) for number, node in enumerate(nodes, 1))
    return Roster(system="s", version=version, nodes=entries, next_number=9)


def eventually(happened: Callable[[], object], what: str) -> None:
    give_up_at_s = time.monotonic() + LIMIT_S
    while not happened():
        assert time.monotonic() < give_up_at_s, what
        time.sleep(0.01)


def install(version: int, *nodes: Beating) -> None:
    for node in nodes:
        node.register.install(roster(version, *nodes))


def test_members_find_each_other_and_measure_the_way(nodes: list[Beating]) -> None:
    install(1, *nodes)
    for node in nodes:
        for other in nodes:
            if other is not node:
                eventually(lambda n=node, o=other: n.state(o.name) is NodeState.ALIVE, "all alive")  # type: ignore[misc]
    member = nodes[0].heart.member("n2")
    assert member is not None
    eventually(lambda: nodes[0].heart.look().members["n2"].rtt_s is not None, "n2 was measured")


def test_member_that_leaves_has_left_for_the_others(nodes: list[Beating]) -> None:
    install(1, *nodes)
    eventually(lambda: nodes[0].state("n3") is NodeState.ALIVE, "n3 is there")
    eventually(lambda: nodes[2].state("n1") is NodeState.ALIVE, "n1 is there")
    nodes[2].heart.stop(leaves=True)
    eventually(lambda: nodes[0].state("n3") is NodeState.LEFT, "n3 has left")
    assert [r.state for r in nodes[0].heart.happenings() if r.name == "n3"][-1] is NodeState.LEFT
    nodes[2].open()


def test_member_that_starts_again_at_once_is_not_missed(nodes: list[Beating]) -> None:
    install(1, *nodes)
    eventually(lambda: nodes[0].state("n2") is NodeState.ALIVE, "n2 is there")
    nodes[1].start_again()

    def is_back() -> bool:
        member = nodes[0].heart.member("n2")
        return member is not None and member.incarnation >= 1001

    eventually(is_back, "n2 is there as a later incarnation")
    assert nodes[0].state("n2") is NodeState.ALIVE


def test_key_that_is_in_no_roster_is_heard_by_nobody(nodes: list[Beating]) -> None:
    known, other, stranger = nodes
    install(1, known, other)
    stranger.register.install(roster(1, known, other, stranger))
    eventually(lambda: known.state("n2") is NodeState.ALIVE, "n2 is there")
    eventually(lambda: stranger.state("n1") is not NodeState.ALIVE, "the stranger is not answered")
    assert set(known.heart.look().members) == {"n2"}
    assert stranger.state("n1") is None


def test_signed_entries_reach_a_member_by_gossip_alone(nodes: list[Beating]) -> None:
    first, second, newcomer = nodes
    install(1, first, second)
    eventually(lambda: second.state("n1") is NodeState.ALIVE, "n1 is there")
    joined = roster(2, *nodes)
    first.register.install(joined)

    def follow() -> bool:
        for each in [each for each in second.told if isinstance(each, TakeEntries)]:
            second.register.install_signed(each.entries)
        return second.register.roster == joined

    eventually(follow, "n2 knows of n3 by what n1 has signed")
    newcomer.register.install(joined)
    eventually(lambda: newcomer.state("n2") is NodeState.ALIVE, "n2 lets n3 in")


def test_heart_beats_on_while_the_interpreter_is_busy(nodes: list[Beating]) -> None:
    install(1, *nodes)
    eventually(lambda: nodes[0].state("n2") is NodeState.ALIVE, "n2 is there")

    def heard_at_s() -> float:
        member = nodes[0].heart.member("n2")
        assert member is not None
        return member.heard_at_s

    before_s, give_up_at_s = heard_at_s(), time.monotonic() + LIMIT_S
    while heard_at_s() < before_s + 2.0:  # this thread never rests, as a loop that is stuck
        sum(range(10_000))
        assert time.monotonic() < give_up_at_s
    assert nodes[0].state("n2") is NodeState.ALIVE


def test_members_own_connection_is_used_where_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1. n2 connects to n1. 2. Much later n1 has something to say, and makes no second one."""
    monkeypatch.setattr(route, "FRESH_S", 0.0)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    keys = make_key(), make_key()
    gate = Gate(context, bool)
    one, two = Routes(context, keys[0], lambda: True), Routes(context, keys[1], lambda: True)
    there = Endpoint(
        node="n1", address="127.0.0.1", port=one.bind("127.0.0.1", 0), public_key=keys[0].public
    )
    nowhere = Endpoint(node="n2", address="127.0.0.1", port=1, public_key=keys[1].public)
    try:
        two.send("n1", there, b"hello")
        heard: list[tuple[str, bytes, bytes]] = []

        def hear(routes: Routes) -> bool:
            heard.extend(routes.receive(0.01))
            return bool(heard)

        eventually(lambda: hear(one), "n1 hears n2")
        ((source, routing_id, payload),) = heard
        assert (source, payload) == (keys[1].public, b"hello")
        one.came_from("n2", routing_id)
        heard.clear()
        one.send("n2", nowhere, b"and you")
        eventually(lambda: hear(two), "n2 hears n1")
        assert heard == [("n1", b"", b"and you")]
    finally:
        one.close()
        two.close()
        gate.close()
        context.destroy(linger=0)


def test_link_that_is_open_at_one_end_only_is_replaced_though_nobody_pings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1. n2 and n1 talk. 2. The cable is cut, and neither kernel knows. 3. n2 goes on talking."""
    monkeypatch.setattr(link, "SILENT_S", 0.3)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    keys = make_key(), make_key()
    gate = Gate(context, bool)
    one, two = Routes(context, keys[0], lambda: False), Routes(context, keys[1], lambda: False)
    cable = Cable(one.bind("127.0.0.1", 0))
    there = Endpoint(node="n1", address="127.0.0.1", port=cable.port, public_key=keys[0].public)

    def answered(text: bytes) -> bool:
        two.send("n1", there, text)
        for _key, routing_id, payload in one.receive(0.02):
            one.came_from("n2", routing_id)
            one.send("n2", None, payload)
        return (("n1", b"", text)) in two.receive(0.02)

    try:
        eventually(lambda: answered(b"hello"), "n1 answers")
        cable.cut.set()
        eventually(lambda: answered(b"still there?"), "n1 answers on another connection")
        assert cable.carried >= 2
    finally:
        one.close()
        two.close()
        gate.close()
        context.destroy(linger=0)
        cable.close()
