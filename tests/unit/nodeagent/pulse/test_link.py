"""When a connection of the heartbeat plane counts as dead, and who pings on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from nodeagent.pulse.link import SILENT_S, UNPROVEN_S, Link, configure, dial
from ssi.transport.keys import KeyPair
from ssi.transport.link import Endpoint

THERE = Endpoint(node="n1", address="127.0.0.1", port=1, public_key="a" * 40)


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def link(context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[Link]:
    with context.socket(zmq.DEALER) as socket:
        yield Link(socket, THERE, used_at_s=0.0)


def test_link_that_nobody_uses_is_not_mute(link: Link) -> None:
    assert not link.is_mute(1000.0)


def test_link_that_has_never_brought_anything_is_mute_soon(link: Link) -> None:
    link.use(10.0)
    assert not link.is_mute(10.0 + UNPROVEN_S)
    assert link.is_mute(10.1 + UNPROVEN_S)


def test_silence_counts_from_the_first_use_that_brought_nothing(link: Link) -> None:
    """A link that is used once in a minute is no dead one when its second use comes."""
    link.use(10.0)
    link.hear(10.1)
    link.use(60.0)
    link.use(60.5)
    assert not link.is_mute(60.6)
    link.use(64.0)
    assert not link.is_mute(60.0 + SILENT_S)
    assert link.is_mute(60.1 + SILENT_S)
    link.hear(66.0)
    assert not link.is_mute(70.0)


@pytest.mark.parametrize(("pings", "interval_ms"), [(True, 2000), (False, 0)])
def test_only_links_of_a_mesh_that_is_probed_whole_have_pings(
    context: zmq.Context[zmq.Socket[bytes]],
    pings: bool,
    interval_ms: int,
) -> None:
    made = dial(context, KeyPair(public="b" * 40, secret="c" * 40), THERE, pings=pings)
    with made.socket as socket:
        assert socket.getsockopt(zmq.HEARTBEAT_IVL) == interval_ms


def test_listener_never_pings_and_the_kernel_watches_either_side(
    context: zmq.Context[zmq.Socket[bytes]],
) -> None:
    for kind in (zmq.ROUTER, zmq.DEALER):
        with context.socket(kind) as socket:
            configure(socket)
            options = (zmq.HEARTBEAT_IVL, zmq.TCP_KEEPALIVE, zmq.TCP_MAXRT)
            assert [socket.getsockopt(option) for option in options] == [0, 1, 20_000]
