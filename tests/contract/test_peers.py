"""Links that stand, with a few nodes, and links on demand, with many."""

from __future__ import annotations

import asyncio
import time

import zmq

from nodeagent.peers import IDLE_S, STANDING_UP_TO, Peers
from ssi.model.node import Roster, RosterEntry
from ssi.protocol.envelope import Reply, Request
from ssi.protocol.message import Done
from ssi.protocol.system import ListNodes
from ssi.transport.link import Endpoint
from tests.contract.wire import done, make_key, peer, run


def roster(version: int, size: int, n2: RosterEntry) -> Roster:
    """So many nodes, of which n2 alone is there."""
    entries = [
        RosterEntry(
            name=f"n{number}", number=number, public_key=f"{number:040}", address="127.0.0.1",
            control_port=1, bulk_port=1,
        )
        for number in range(1, size + 1)
    ]  # fmt: skip
    entries[1] = n2
    return Roster(system="s", version=version, nodes=tuple(entries), next_number=size + 1)


def entry_of(there: Endpoint) -> RosterEntry:
    return RosterEntry(
        name="n2", number=2, public_key=there.public_key, address=there.address,
        control_port=there.port, bulk_port=there.port,
    )  # fmt: skip


def test_links_of_a_small_mesh_stand_and_are_not_swept() -> None:
    async def test() -> None:
        key = make_key()
        async with peer() as n2:
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            peers = Peers(context, "n1", key)
            peers.follow(roster(1, STANDING_UP_TO, entry_of(n2.endpoint())))
            assert len(peers.connected()) == STANDING_UP_TO - 1
            peers.sweep(time.monotonic() + 10 * IDLE_S)
            assert len(peers.connected()) == STANDING_UP_TO - 1
            peers.close()
            context.destroy(linger=0)

    run(test())


def test_links_of_a_large_mesh_are_made_on_demand_and_closed_when_idle() -> None:
    async def test() -> None:
        key = make_key()
        async with peer() as n2:
            n2.allowed.add(key.public)
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            peers = Peers(context, "n1", key)
            peers.follow(roster(1, 200, entry_of(n2.endpoint())))
            assert (peers.connected(), len(peers.names())) == ([], 199)
            assert peers.problem("n2") == ""
            for _ in range(2):
                assert await peers.ask("n2", ListNodes(), timeout_s=60.0) == Done()
                assert peers.connected() == ["n2"]
                peers.sweep(time.monotonic() + IDLE_S / 2)
                assert peers.connected() == ["n2"]
                peers.sweep(time.monotonic() + IDLE_S + 1)
                assert peers.connected() == []
            peers.follow(roster(2, 3, entry_of(n2.endpoint())))
            assert sorted(peers.connected()) == ["n2", "n3"]
            peers.close()
            context.destroy(linger=0)

    run(test())


def test_link_on_which_an_answer_is_awaited_is_not_closed() -> None:
    async def test() -> None:
        key = make_key()
        async with peer() as n2:
            n2.allowed.add(key.public)
            asked, go = asyncio.Event(), asyncio.Event()

            async def answer_late(request: Request, _key: str) -> Reply:
                asked.set()
                await go.wait()
                return done(request)

            n2.handler = answer_late
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            peers = Peers(context, "n1", key)
            peers.follow(roster(1, 200, entry_of(n2.endpoint())))
            asking = asyncio.ensure_future(peers.ask("n2", ListNodes(), timeout_s=60.0))
            await asked.wait()
            peers.sweep(time.monotonic() + 2 * IDLE_S)
            assert peers.connected() == ["n2"]
            go.set()
            assert await asking == Done()
            peers.close()
            context.destroy(linger=0)

    run(test())
