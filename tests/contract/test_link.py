"""Asking and answering between agents over the loopback, with everything that goes wrong there."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
import zmq

from ssi.protocol.codec import decode_reply_body, make_failure
from ssi.protocol.envelope import Failure, Reply, Request
from ssi.protocol.message import Done
from ssi.protocol.refusals import LinkDown, NodeUnknown, TimedOut
from ssi.transport import link as link_module
from tests.contract.wire import (
    PATIENCE_S,
    SOON_S,
    done,
    make_key,
    make_request,
    peer,
    run,
)


def test_allowed_key_is_answered_and_known_by_it() -> None:
    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            n2.allowed.add(client.public)
            link = n2.link(client)
            reply = await link.ask(make_request(), PATIENCE_S)
            assert decode_reply_body(reply.body) == Done()
            assert [key for _request, key in n2.requests] == [client.public]
            assert link.state == "connected"
            link.close()

    run(test())


def test_failure_of_the_peer_is_raised_as_the_error_that_it_was() -> None:
    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            n2.allowed.add(client.public)

            async def refuse(request: Request, _key: str) -> Failure:
                return make_failure(request.id, NodeUnknown(node="n9", known="n1, n2"))

            n2.handler = refuse
            link = n2.link(client)
            with pytest.raises(NodeUnknown, match="no node is called 'n9'; the nodes are n1, n2"):
                await link.ask(make_request(), PATIENCE_S)
            link.close()

    run(test())


def test_pending_fails_when_the_peer_dies_and_the_link_serves_again_afterwards() -> None:
    async def test() -> None:
        client, arrived = make_key(), asyncio.Event()
        async with peer() as n2:
            n2.allowed.add(client.public)

            async def never(request: Request, _key: str) -> Reply:
                arrived.set()
                await asyncio.Event().wait()
                return done(request)

            n2.handler = never
            port = n2.endpoint().port
            link = n2.link(client)
            asking = asyncio.create_task(link.ask(make_request(), PATIENCE_S))
            await arrived.wait()
            n2.die()
            with pytest.raises(LinkDown, match="whether what was asked has been done is unknown"):
                await asking
            with pytest.raises(LinkDown):
                await link.ask(make_request(), 0.05)
            asked_before = len(n2.requests)
            n2.handler = None
            n2.listen(port)
            await link.ask(make_request(), PATIENCE_S)
            # The one that failed while nobody listened was not kept and sent later.
            assert len(n2.requests) == asked_before + 1
            link.close()

    run(test())


def test_request_to_one_who_is_back_does_not_wait_for_the_next_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure = link_module._configure

    def rarely(socket: zmq.Socket[bytes]) -> None:
        configure(socket)
        socket.setsockopt(zmq.RECONNECT_IVL, 60_000)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 60_000)

    monkeypatch.setattr(link_module, "_configure", rarely)

    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            n2.allowed.add(client.public)
            port = n2.endpoint().port
            link = n2.link(client)
            await link.ask(make_request(), PATIENCE_S)
            n2.die()
            await asyncio.sleep(link_module.DIALS_AGAIN_S)
            with pytest.raises(LinkDown):
                await link.ask(make_request(), PATIENCE_S)
            n2.listen(port)
            await asyncio.sleep(link_module.DIALS_AGAIN_S)
            await link.ask(make_request(), PATIENCE_S)
            link.close()

    run(test())


def test_request_to_nobody_fails_within_a_second() -> None:
    async def test() -> None:
        assert link_module.CONNECT_WAIT_S <= 1.0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))  # nobody listens, and nobody else can
            async with peer() as n1:
                endpoint = link_module.Endpoint(
                    node="n2",
                    address="127.0.0.1",
                    port=free.getsockname()[1],
                    public_key=make_key().public,
                )
                link = link_module.Link(n1.context, endpoint, make_key())
                began = time.monotonic()
                with pytest.raises(LinkDown, match="n2 cannot be reached"):
                    await link.ask(make_request(), PATIENCE_S)
                assert time.monotonic() - began < SOON_S
                link.close()

    run(test())


def test_deadline_passes_and_names_the_request() -> None:
    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            n2.allowed.add(client.public)
            link = n2.link(client)
            await link.ask(make_request(), PATIENCE_S)

            async def never(request: Request, _key: str) -> Reply:
                await asyncio.Event().wait()
                return done(request)

            n2.handler = never
            with pytest.raises(TimedOut, match=r"n2 did not answer list-nodes within 0\.1 s"):
                await link.ask(make_request(), 0.05)
            n2.handler = None
            await link.ask(make_request(), PATIENCE_S)
            link.close()

    run(test())


def test_two_askers_of_one_id_keep_their_own_deadlines() -> None:
    """1. A asks. 2. B asks again under the same id. 3. A leaves. 4. B is answered all the same."""

    async def test() -> None:
        client, go = make_key(), asyncio.Event()
        async with peer() as n2:
            n2.allowed.add(client.public)

            async def wait(request: Request, _key: str) -> Reply:
                await go.wait()
                return done(request)

            n2.handler = wait
            link = n2.link(client)
            request = make_request()
            first = asyncio.create_task(link.ask(request, PATIENCE_S))
            second = asyncio.create_task(link.ask(request, PATIENCE_S))
            while len(n2.requests) < 2:
                await asyncio.sleep(0.01)
            first.cancel()
            await asyncio.wait([first])
            go.set()
            assert decode_reply_body((await second).body) == Done()
            link.close()

    run(test())


def test_what_is_asked_while_the_link_connects_arrives_in_its_order() -> None:
    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            n2.allowed.add(client.public)
            link = n2.link(client)
            asked: list[asyncio.Task[Reply]] = []
            requests = []
            while link.state == "connecting" or len(asked) < 20:
                request = make_request()
                requests.append(request.id)
                asked.append(asyncio.create_task(link.ask(request, PATIENCE_S)))
                await asyncio.sleep(0)
            await asyncio.gather(*asked)
            assert [request.id for request, _key in n2.requests] == requests
            link.close()

    run(test())


def test_closed_link_fails_what_is_pending_and_what_comes_after() -> None:
    async def test() -> None:
        client, arrived = make_key(), asyncio.Event()
        async with peer() as n2:
            n2.allowed.add(client.public)

            async def never(request: Request, _key: str) -> Reply:
                arrived.set()
                await asyncio.Event().wait()
                return done(request)

            n2.handler = never
            link = n2.link(client)
            asking = asyncio.create_task(link.ask(make_request(), PATIENCE_S))
            await arrived.wait()
            link.close()
            with pytest.raises(LinkDown, match="the link was closed"):
                await asking
            began = time.monotonic()
            with pytest.raises(LinkDown, match="the link was closed"):
                await link.ask(make_request(), PATIENCE_S)
            assert time.monotonic() - began < SOON_S

    run(test())


def test_asker_that_left_gets_no_answer_and_the_next_one_does() -> None:
    async def test() -> None:
        client, arrived = make_key(), asyncio.Event()
        async with peer() as n2:
            n2.allowed.add(client.public)

            async def slow(request: Request, _key: str) -> Reply:
                arrived.set()
                return done(request)

            n2.handler = slow
            link = n2.link(client)
            asking = asyncio.create_task(link.ask(make_request(), PATIENCE_S))
            await arrived.wait()
            asking.cancel()
            await asyncio.wait([asking])
            assert asking.cancelled()
            await link.ask(make_request(), PATIENCE_S)
            link.close()

    run(test())
