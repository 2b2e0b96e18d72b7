"""A mount that listens, and the file server of a machine that is no node, which connects to it."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from nodeagent.filesystem.server.accounts import own_user
from nodeagent.filesystem.server.orders import Serve
from nodeagent.homeserver import HomeServer
from nodeagent.mechanism.ports import free_port
from ssi.model.node import Roster, RosterEntry
from ssi.protocol.filereplies import FileReply, Opened, Welcome
from ssi.protocol.filerequests import FileRequest, Lookup, Open, Read
from ssi.transport.filelink import TICK_S, FileLink
from ssi.transport.keys import KeyPair, load_or_make_key
from ssi.transport.link import Endpoint
from tests.contract.plainloop import PlainLoop

PATIENCE_S = 60.0
ME = own_user()


class Node:
    """The end of a node: a link that listens, asked for one thing after another."""

    def __init__(self, key: KeyPair, port: int, client_key: str, session: bytes = b"") -> None:
        self.welcomes: list[Welcome] = []
        self._loop = PlainLoop()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        endpoint = Endpoint(node="lap~1", address="127.0.0.1", port=port, public_key=client_key)
        self.link = FileLink(
            self._context, self._loop, key, endpoint, session, self.welcomes.append, listens=True
        )
        self._tick()

    def _tick(self) -> None:
        self.link.tick(holds=False)
        self._loop.call_after(TICK_S, self._tick)

    def ask(self, body: FileRequest, *, user: str = ME, within_s: float = PATIENCE_S) -> int:
        """The errno of an answer, 0 where there is none."""
        return self.answer(body, user=user, within_s=within_s)[0]

    def answer(
        self, body: FileRequest, *, user: str = ME, within_s: float = PATIENCE_S
    ) -> tuple[int, FileReply | None, bytes]:
        """An answer: errno, reply and bytes."""
        told: list[tuple[int, FileReply | None, bytes]] = []

        def then(error: int, reply: FileReply | None, data: memoryview) -> None:
            told.append((error, reply, bytes(data)))
            self._loop.stop()

        self.link.ask(user, "", body, then, within_s=within_s)
        self._loop.run()
        return told[0]

    def close(self) -> None:
        self.link.close()
        self._context.destroy(linger=0)
        self._loop.close()


class Laptop:
    """The other end, as its agent holds it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.own = self.home / "config"
        self.own.mkdir(parents=True)
        (self.home / "f").write_text("mine")
        (folder / "beside").write_text("not for others")
        self.key = load_or_make_key(self.own / "client.key")
        self.roster = self.own / "cluster"
        self.server = HomeServer(
            self.own / "client.key", self.roster, folder / "files.log", [self.own]
        )
        self.port = free_port("127.0.0.1", 0)

    def knows(self, public_key: str, user: str = "root") -> None:
        entry = RosterEntry(
            name="n1", number=1, public_key=public_key, address="127.0.0.1", control_port=1,
            bulk_port=2, user=user,
        )  # fmt: skip
        roster = Roster(system="s", version=1, nodes=(entry,), next_number=2)
        self.roster.write_bytes(msgspec.json.encode(roster))

    def serve(self, *paths: Path) -> None:
        urls = (f"tcp://127.0.0.1:{self.port}",)
        self.server.tell(Serve(tuple(str(path) for path in paths), urls))

    def path(self, name: str) -> bytes:
        return os.fsencode(self.home / name).strip(b"/")


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    laptop = Laptop(tmp_path)
    yield laptop
    laptop.server.end()


@pytest.fixture
def node(laptop: Laptop, tmp_path: Path) -> Iterator[Node]:
    key = load_or_make_key(tmp_path / "node.key")
    laptop.knows(key.public)
    node = Node(key, laptop.port, laptop.key.public)
    yield node
    node.close()


def test_server_that_dials_serves_what_it_was_told_and_nothing_else(
    laptop: Laptop, node: Node
) -> None:
    laptop.serve(laptop.home)
    assert node.ask(Lookup(laptop.path("f"))) == 0
    assert node.ask(Lookup(laptop.path("../beside").replace(b"home/../", b""))) == errno.ENOENT
    assert node.ask(Lookup(b"etc/hostname")) == errno.ENOENT
    assert node.ask(Lookup(laptop.path("config/client.key"))) == errno.ENOENT
    assert node.ask(Lookup(laptop.path("f")), user="somebody-else") == errno.EACCES


def test_what_is_not_needed_any_more_is_not_served(laptop: Laptop, node: Node) -> None:
    laptop.serve(laptop.home)
    assert node.ask(Lookup(laptop.path("f"))) == 0
    laptop.serve(laptop.home / "config")
    give_up_at_s = time.monotonic() + PATIENCE_S
    while node.ask(Lookup(laptop.path("f"))) != errno.ENOENT:
        assert time.monotonic() < give_up_at_s


def test_link_on_the_way_is_seen_for_the_asking_kernel_follows_it(
    laptop: Laptop, node: Node
) -> None:
    link = laptop.home.with_name("link")
    link.symlink_to(laptop.home)
    laptop.serve(link)
    assert node.ask(Lookup(os.fsencode(link).strip(b"/"))) == 0
    assert node.ask(Lookup(laptop.path("f"))) == 0


def test_another_server_is_met_again_and_has_forgotten_what_was_open(
    laptop: Laptop, node: Node
) -> None:
    laptop.serve(laptop.home)
    error, reply, _ = node.answer(Open(laptop.path("f"), os.O_RDONLY))
    assert error == 0 and isinstance(reply, Opened)
    laptop.server.end()
    laptop.serve(laptop.home)
    assert node.ask(Lookup(laptop.path("f"))) == 0, "asked while it was away, told by the next one"
    assert [each.kept for each in node.welcomes] == [False, False]


def test_nothing_is_answered_while_the_machine_is_away(laptop: Laptop, node: Node) -> None:
    assert node.ask(Lookup(laptop.path("f")), within_s=0.2) == errno.ETIMEDOUT
    assert node.link.is_mute
    laptop.serve(laptop.home)
    assert node.ask(Lookup(laptop.path("f"))) == 0 and not node.link.is_mute


@pytest.mark.parametrize("who", ["a stranger", "a node whose agent is not root's"])
def test_only_nodes_that_are_roots_may_ask(laptop: Laptop, node: Node, who: str) -> None:
    user = "ada" if who != "a stranger" else "root"
    known = zmq.curve_keypair()[0].decode() if who == "a stranger" else node.link._key.public
    laptop.knows(known, user)
    laptop.serve(laptop.home)
    assert node.ask(Lookup(laptop.path("f")), within_s=3.0) == errno.ETIMEDOUT
    assert node.welcomes == []


def test_node_that_was_given_another_key_is_let_in_again_with_what_it_had_open(
    laptop: Laptop, node: Node, tmp_path: Path
) -> None:
    laptop.serve(laptop.home)
    error, reply, _ = node.answer(Open(laptop.path("f"), os.O_RDONLY))
    assert error == 0 and isinstance(reply, Opened)
    node.link.close()
    other = Node(
        load_or_make_key(tmp_path / "other.key"), laptop.port, laptop.key.public, node.link.session
    )
    try:
        assert other.ask(Lookup(laptop.path("f")), within_s=3.0) == errno.ETIMEDOUT
        laptop.knows(other.link._key.public)
        assert other.answer(Read(reply.handle, 0, 9))[::2] == (0, b"mine")
        assert [each.kept for each in other.welcomes] == [True]
    finally:
        other.close()


def test_whoever_else_connects_to_the_mount_is_nobody(laptop: Laptop, node: Node) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as impostor:
        impostor.curve_server = True
        impostor.curve_secretkey = zmq.curve_keypair()[1]
        impostor.linger = 0
        impostor.connect(f"tcp://127.0.0.1:{laptop.port}")
        assert node.ask(Lookup(laptop.path("f")), within_s=1.0) == errno.ETIMEDOUT
        laptop.serve(laptop.home)
        assert node.ask(Lookup(laptop.path("f"))) == 0
    assert node.ask(Lookup(laptop.path("f"))) == 0, "its leaving is nothing to us"
    assert len(node.welcomes) == 1


def test_port_that_is_taken_is_tried_again(laptop: Laptop, tmp_path: Path) -> None:
    key = load_or_make_key(tmp_path / "node.key")
    laptop.knows(key.public)
    laptop.serve(laptop.home)
    with socket.create_server(("127.0.0.1", laptop.port)):
        node = Node(key, laptop.port, laptop.key.public)
        assert node.ask(Lookup(laptop.path("f")), within_s=0.5) == errno.ETIMEDOUT
    try:
        assert node.ask(Lookup(laptop.path("f"))) == 0
    finally:
        node.close()
