"""More than a link or a listener takes at once: all of it arrives, or is refused."""

from __future__ import annotations

import asyncio

import pytest

from ssi.protocol import codec
from ssi.protocol.codec import decode_reply_body, encode_reply_body
from ssi.protocol.envelope import BULK_CHUNK_BYTES, Reply, Request
from ssi.protocol.jobs import StreamData, WriteStream
from ssi.protocol.refusals import Overloaded
from tests.contract.wire import (
    PATIENCE_S,
    done,
    make_key,
    make_request,
    peer,
    run,
)


def test_two_thousand_requests_at_once_are_all_answered() -> None:
    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            n2.allowed.add(client.public)

            async def echo(request: Request, _key: str) -> Reply:
                body = StreamData(offset=request.deadline_ms, data=b"", ended=False)
                return Reply(request.id, encode_reply_body(body))

            n2.handler = echo
            link = n2.link(client)
            replies = await asyncio.gather(
                *(link.ask(make_request(deadline_ms=number), PATIENCE_S) for number in range(2000))
            )
            decoded = [decode_reply_body(reply.body) for reply in replies]
            assert [body.offset for body in decoded if isinstance(body, StreamData)] == list(
                range(2000)
            )
            link.close()

    run(test())


def test_requests_beyond_the_high_water_mark_arrive_though_none_is_answered_yet() -> None:
    """A send that had to wait goes on although nothing arrives that would wake the sender."""

    async def test() -> None:
        client, everything = make_key(), asyncio.Event()
        async with peer() as n2:
            n2.allowed.add(client.public)
            data = b"x" * 60_000

            async def hold(request: Request, _key: str) -> Reply:
                if len(n2.requests) == 2000:
                    everything.set()
                await everything.wait()
                return done(request)

            n2.handler = hold
            link = n2.link(client)
            body = WriteStream(gpid=1, offset=0, data=data, end=False, wait_ms=0)
            await asyncio.gather(*(link.ask(make_request(body), PATIENCE_S) for _ in range(2000)))
            assert len(n2.requests) == 2000
            link.close()

    run(test())


def test_requests_beyond_the_limit_are_refused_and_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssi.transport.listener.MAX_UNDER_WAY", 10)

    async def test() -> None:
        client, go = make_key(), asyncio.Event()
        async with peer() as n2:
            n2.allowed.add(client.public)

            async def wait(request: Request, _key: str) -> Reply:
                await go.wait()
                return done(request)

            n2.handler = wait
            link = n2.link(client)
            asking = [asyncio.create_task(link.ask(make_request(), PATIENCE_S)) for _ in range(15)]
            while sum(task.done() for task in asking) < 5:
                await asyncio.sleep(0.01)
            assert all(isinstance(task.exception(), Overloaded) for task in asking if task.done())
            go.set()
            outcomes = await asyncio.gather(*asking, return_exceptions=True)
            assert sum(isinstance(outcome, Overloaded) for outcome in outcomes) == 5
            assert sum(isinstance(outcome, Reply) for outcome in outcomes) == 10
            link.close()

    run(test())


def test_64_mib_in_chunks_arrive_intact_both_ways() -> None:
    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            n2.allowed.add(client.public)
            received: list[int] = []

            async def echo(request: Request, _key: str) -> Reply:
                body = codec.decode_request_body(request.body)
                assert isinstance(body, WriteStream)
                received.append(hash(body.data))
                reply = StreamData(offset=body.offset, data=body.data[::-1], ended=False)
                return Reply(request.id, encode_reply_body(reply))

            n2.handler = echo
            link = n2.link(client)
            seed = bytes(range(256)) * (BULK_CHUNK_BYTES // 256)

            async def send(number: int) -> None:
                data = number.to_bytes(8, "big") + seed[8:]
                body = WriteStream(gpid=1, offset=number, data=data, end=False, wait_ms=0)
                reply = decode_reply_body((await link.ask(make_request(body), PATIENCE_S)).body)
                assert isinstance(reply, StreamData)
                assert reply.offset == number
                assert reply.data == data[::-1]

            for first in range(0, 64, 8):
                await asyncio.gather(*(send(first + step) for step in range(8)))
            assert len(received) == 64
            link.close()

    run(test())
