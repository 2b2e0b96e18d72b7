"""The heartbeat thread without its sockets: what it makes of what comes, and what it sends."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TypeVar

import pytest

from nodeagent.pulse import heart as heart_module
from nodeagent.pulse.heart import LONGEST_REST_S, Heart, Told
from ssi.mesh.event import FetchRoster, Moved, TakeEntries
from ssi.model.node import NodeState, Roster, RosterEntry
from ssi.protocol.codec import decode_datagram, encode_datagram
from ssi.protocol.pulse import Ack, AnyDatagram, Gossip, IndirectProbe, Probe, Rumour
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint

BORN = 1000
KEYS = {"n1": "a" * 40, "n2": "b" * 40, "n3": "c" * 40}

DatagramT = TypeVar("DatagramT", bound=AnyDatagram)


class FakeRoutes:
    """What comes is put in by the test; what goes out is kept for it."""

    def __init__(self, *_: object) -> None:
        self.mail: list[tuple[str, bytes, bytes]] = []
        self.sent: list[tuple[str, Endpoint | None, AnyDatagram]] = []
        self.ways: dict[str, bytes] = {}
        self.rests_s: list[float] = []
        self.closed_after_ms = -1
        self.breaks = False

    def watch(self, descriptor: int) -> None:
        pass

    def receive(self, timeout_s: float) -> list[tuple[str, bytes, bytes]]:
        if self.breaks:
            raise RuntimeError("a socket broke")
        self.rests_s.append(timeout_s)
        mail, self.mail = self.mail, []
        return mail

    def send(self, to: str, endpoint: Endpoint | None, payload: bytes) -> None:
        self.sent.append((to, endpoint, decode_datagram(payload)))

    def came_from(self, name: str, routing_id: bytes) -> None:
        self.ways[name] = routing_id

    def sweep(self) -> None:
        pass

    def close(self, linger_ms: int = 0) -> None:
        self.closed_after_ms = linger_ms


@dataclass
class Stage:
    """A heart of n1 whose clock and mail are in the hands of the test."""

    now_s: float = 100.0
    told: list[Told] = field(default_factory=list)
    entries: tuple[bytes, ...] = ()
    stopped: bool = False

    def __post_init__(self) -> None:
        key = KeyPair(public=KEYS["n1"], secret="x" * 40)
        self.heart = Heart(
            "n1", BORN, key, knows=bool, entries=lambda _since: self.entries, tell=self.told.append
        )
        routes = self.heart._routes
        assert isinstance(routes, FakeRoutes)
        self.routes: FakeRoutes = routes
        self.install(1, "n1", "n2", "n3")
        self.beat()

    def install(self, version: int, *names: str) -> None:
        nodes = tuple(
            RosterEntry(
                name=name, number=int(name[1]), public_key=KEYS[name], address=f"10.0.0.{name[1]}",
                control_port=7001, bulk_port=7002, pulse_port=7003,
            )
            for name in names
        )  # fmt: skip
        self.heart.install(Roster(system="s", version=version, nodes=nodes, next_number=4))

    def beat(self, *mail: tuple[str, AnyDatagram]) -> None:
        self.routes.mail += [(name, b"", encode_datagram(datagram)) for name, datagram in mail]
        self.heart._beat()

    def stop(self, *, leaves: bool) -> None:
        if not self.stopped:
            self.stopped = True
            self.heart.stop(leaves=leaves)

    def sent(self, kind: type[DatagramT]) -> list[tuple[str, DatagramT]]:
        return [(to, each) for to, _, each in self.routes.sent if isinstance(each, kind)]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(heart_module, "Routes", FakeRoutes)
    monkeypatch.setattr(heart_module, "Gate", lambda *_: SimpleNamespace(close=lambda: None))
    clock = SimpleNamespace(monotonic=lambda: 100.0, time=lambda: 1.7e9)
    monkeypatch.setattr(heart_module, "time", clock)
    made = Stage()
    clock.monotonic = lambda: made.now_s
    yield made
    made.stop(leaves=False)


def test_each_member_is_probed_where_the_roster_has_it(stage: Stage) -> None:
    probed = {to: endpoint for to, endpoint, each in stage.routes.sent if isinstance(each, Probe)}
    assert set(probed) == {"n2", "n3"}
    assert probed["n2"] is not None
    assert probed["n2"].url == "tcp://10.0.0.2:7003"
    assert probed["n2"].public_key == KEYS["n2"]


def test_thread_rests_until_the_next_is_due_and_never_long(stage: Stage) -> None:
    stage.beat()  # what was due at once is done
    stage.beat()
    assert 0 < stage.routes.rests_s[-1] <= LONGEST_REST_S
    stage.now_s += 30.0
    stage.beat()
    assert stage.routes.rests_s[-1] == 0.0


def test_who_connects_is_who_the_key_says(stage: Stage) -> None:
    probe = encode_datagram(Probe(incarnation=BORN, sequence=9))
    stage.routes.mail = [(KEYS["n2"], b"way-2", probe), ("z" * 40, b"way-9", probe)]
    stage.beat()
    assert stage.routes.ways == {"n2": b"way-2", f"?{'z' * 40}": b"way-9"}
    acks = dict(stage.sent(Ack))
    assert set(acks) == {"n2", f"?{'z' * 40}"}
    assert acks["n2"].sequence == 9
    assert set(stage.heart.look().members) == {"n2", "n3"}  # an answer makes nobody a member


def test_datagram_that_cannot_be_read_is_passed_over(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.routes.mail = [("n2", b"", b"SSI\x01\xc1"), ("n2", b"", b"")]
    stage.beat(("n2", Probe(incarnation=BORN, sequence=3)))
    assert caplog.text.count("event=bad-datagram source=n2") == 2
    assert [to for to, _ in stage.sent(Ack)] == ["n2"]


def test_node_of_another_version_is_known_by_what_it_speaks_until_it_speaks_ours(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    older = b"SSI\x00\xc1"
    stage.routes.mail = [("n2", b"", older), ("n2", b"", older), ("z" * 40, b"way", older)]
    stage.beat()
    assert stage.heart.look().speaks == {"n2": 0}
    assert (stage.heart.speaks("n2"), stage.heart.speaks("n3")) == (0, None)
    assert caplog.text.count("event=version-mismatch source=n2 theirs=0") == 1
    stage.beat(("n2", Probe(incarnation=BORN, sequence=3)))
    assert stage.heart.look().speaks == {}
    stage.routes.mail = [("n2", b"", older)]
    stage.beat()
    stage.install(2, "n1", "n3")
    assert stage.heart.look().speaks == {}


def test_own_acks_tell_how_this_node_fares_and_those_passed_on_do_not(stage: Stage) -> None:
    stage.heart.fares = b"mine"
    stage.beat(("n2", IndirectProbe(incarnation=BORN, sequence=7, target="n3")))
    _, asked = stage.sent(Probe)[-1]
    stage.beat(
        ("n3", Ack(incarnation=BORN, sequence=asked.sequence, wall_ms=1.0, fares=b"of n3")),
        ("n2", Probe(incarnation=BORN, sequence=8)),
    )
    assert {ack.sequence: ack.fares for _, ack in stage.sent(Ack)} == {7: b"", 8: b"mine"}
    assert stage.heart.look().fares == {"n3": b"of n3"}


def test_node_that_is_taken_out_is_forgotten_with_all_that_it_told(stage: Stage) -> None:
    stage.beat(("n3", Ack(incarnation=BORN, sequence=0, wall_ms=1.0, fares=b"of n3")))
    stage.install(2, "n1", "n2")
    stage.beat()
    look = stage.heart.look()
    assert (set(look.members), look.fares) == ({"n2"}, {})
    assert stage.heart.member("n3") is None


def test_member_that_moved_is_probed_there_and_the_loop_is_told(stage: Stage) -> None:
    moved = Rumour("n2", NodeState.ALIVE, BORN, at=5, address="10.9.9.9")
    stage.beat(("n2", Gossip(incarnation=BORN, rumours=(moved,))))
    assert stage.told == [Moved(name="n2", address="10.9.9.9")]
    stage.routes.sent.clear()
    for _ in range(20):  # whom the ring has next is left to chance
        stage.now_s += 0.25
        stage.beat()
    where = {endpoint.address for to, endpoint, _ in stage.routes.sent if to == "n2" and endpoint}
    assert where == {"10.9.9.9"}


def test_entries_go_to_whoever_is_behind_if_there_are_any(stage: Stage) -> None:
    stage.install(2, "n1", "n2", "n3")
    stage.beat(("n2", Gossip(incarnation=BORN, roster_version=1)))
    assert [each for _, each in stage.sent(Gossip) if each.entries] == []
    stage.entries = (b"signed",)
    stage.beat(("n3", Gossip(incarnation=BORN, roster_version=1)))
    ((to, given),) = [(to, each) for to, each in stage.sent(Gossip) if each.entries]
    assert (to, given.entries, given.roster_version) == ("n3", (b"signed",), 2)


def test_newer_roster_is_for_the_loop(stage: Stage) -> None:
    stage.beat(("n2", Gossip(incarnation=BORN, roster_version=2, entries=(b"signed",))))
    for _ in range(3):
        stage.beat(("n3", Probe(incarnation=BORN, roster_version=2, sequence=1)))
        stage.now_s += 1.0
    assert stage.told == [
        TakeEntries(source="n2", entries=(b"signed",)),
        FetchRoster(source="n3"),
    ]


def test_what_changed_is_logged_in_one_line(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stage.beat(("n2", Ack(incarnation=BORN, sequence=0)))
    accused = Rumour("n2", NodeState.SUSPECT, BORN, "n3", at=1)
    stage.beat(("n3", Gossip(incarnation=BORN, rumours=(accused,))))
    assert "event=member node=n2 before=alive after=suspect incarnation=1000" in caplog.text


def test_answers_that_wait_are_read_before_anybody_is_missed(stage: Stage) -> None:
    """1. n1 probes. 2. It is stopped for 20 s. 3. The answers are there when it wakes."""
    probes = stage.sent(Probe)
    stage.now_s += 20.0
    stage.beat(*((to, Ack(incarnation=BORN, sequence=each.sequence)) for to, each in probes))
    states = {member.state for member in stage.heart.look().members.values()}
    assert states == {NodeState.ALIVE}


def test_node_that_leaves_says_so_and_gives_it_time_to_get_out(stage: Stage) -> None:
    stage.routes.sent.clear()
    stage.heart.start()
    stage.stop(leaves=True)
    last = {to: each.rumours[0].state for to, each in stage.sent(Gossip) if each.rumours}
    assert last == {"n2": NodeState.LEFT, "n3": NodeState.LEFT}
    assert stage.routes.closed_after_ms > 0


def test_node_that_only_starts_again_says_nothing(stage: Stage) -> None:
    stage.routes.sent.clear()
    stage.stop(leaves=False)
    assert stage.routes.sent == []
    assert stage.routes.closed_after_ms == 0


def test_thread_that_breaks_says_so(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.routes.breaks = True
    stage.heart.start()
    stage.heart._thread.join(10.0)
    assert stage.heart.failed
    assert "a socket broke" in caplog.text


def test_roster_is_installed_whole_while_acks_of_others_arrive(stage: Stage) -> None:
    """Each ack is of another member, as when many nodes join at once."""

    def acks(kind: str) -> list[tuple[str, AnyDatagram]]:
        ack = Ack(incarnation=BORN, sequence=0, fares=b"well")
        return [(f"{kind}{number}", ack) for number in range(1000)]

    nodes = tuple(
        RosterEntry(
            name=name, number=number, public_key=f"key of {name}", address="10.0.0.9",
            control_port=7001, bulk_port=7002, pulse_port=7003,
        )
        for number, (name, _) in enumerate(acks("old"), 4)
    )  # fmt: skip
    wanted, installed, is_over = 0, 0, threading.Event()

    def install() -> None:
        nonlocal wanted, installed
        while not is_over.is_set():
            wanted += 1
            stage.heart.install(
                Roster(system="s", version=wanted + 1, nodes=nodes, next_number=2000)
            )
            installed += 1

    stage.beat(*acks("old"))
    usual_s = sys.getswitchinterval()
    installing = threading.Thread(target=install)
    sys.setswitchinterval(1e-6)
    try:
        installing.start()
        for turn in range(20):
            stage.beat(*acks(f"new{turn}-"))
    finally:
        is_over.set()
        sys.setswitchinterval(usual_s)
        installing.join()
    assert installed == wanted > 0
