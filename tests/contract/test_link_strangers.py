"""Whom a link and a listener do not know, or do not understand: refused by name, unharmed."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress

import pytest
import zmq

from ssi.protocol import codec
from ssi.protocol.codec import VersionMismatch
from ssi.protocol.envelope import MAGIC, Failure, Request
from ssi.protocol.refusals import LinkDown, LinkRefused
from ssi.transport import link as link_module
from ssi.transport.listener import PortTaken
from tests.contract.wire import (
    PATIENCE_S,
    SOON_S,
    connect_until_event,
    done,
    make_key,
    make_request,
    peer,
    run,
)


def test_unknown_key_is_refused_and_nothing_is_carried_out() -> None:
    async def test() -> None:
        stranger = make_key()
        async with peer() as n2:
            link = n2.link(stranger)
            began = time.monotonic()
            with pytest.raises(LinkRefused, match="does not know this machine's key"):
                await link.ask(make_request(), PATIENCE_S)
            assert time.monotonic() - began < SOON_S
            assert n2.requests == []
            link.close()

    run(test())


def test_key_that_is_allowed_later_gets_in_without_a_new_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1. n1 is given the roster and connects. 2. n2, which is given it later, refuses. 3. It is."""
    monkeypatch.setattr(link_module, "RETRY_REFUSED_S", 0.02)

    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            link = n2.link(client)
            with pytest.raises(LinkRefused):
                await link.ask(make_request(), PATIENCE_S)
            n2.allowed.add(client.public)
            while True:
                try:
                    await link.ask(make_request(), PATIENCE_S)
                except LinkRefused:
                    await asyncio.sleep(0.01)
                else:
                    break
            assert len(n2.requests) == 1
            link.close()

    run(test())


def test_wrong_server_key_is_refused_quickly() -> None:
    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            n2.allowed.add(client.public)
            link = n2.link(client, server_key=make_key().public)
            began = time.monotonic()
            with pytest.raises(LinkRefused, match="not the one in the roster"):
                await link.ask(make_request(), PATIENCE_S)
            assert time.monotonic() - began < SOON_S
            assert n2.requests == []
            link.close()

    run(test())


def test_peer_that_refused_and_then_died_is_told_as_dead() -> None:
    async def test() -> None:
        async with peer() as n2:
            link = n2.link(make_key(), server_key=make_key().public)
            with pytest.raises(LinkRefused):
                await link.ask(make_request(), PATIENCE_S)
            n2.die()
            while link.state == "refused":
                await asyncio.sleep(0.01)
            with pytest.raises(LinkDown):
                await link.ask(make_request(), 0.05)
            link.close()

    run(test())


@pytest.mark.parametrize("mechanism", ["null", "plain"])
def test_client_without_curve_gets_nothing_carried_out(mechanism: str) -> None:
    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            intruder = n2.context.socket(zmq.DEALER)
            intruder.linger = 0
            if mechanism == "plain":
                intruder.plain_username = b"root"
                intruder.plain_password = b"secret"
            await connect_until_event(
                intruder,
                n2.endpoint().url,
                zmq.EVENT_DISCONNECTED
                | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
                | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
                | zmq.EVENT_HANDSHAKE_FAILED_AUTH,
            )
            with suppress(zmq.Again):  # no peer to send it to, where ZeroMQ has given up
                intruder.send(codec.encode_envelope(make_request()), zmq.DONTWAIT)
            n2.allowed.add(client.public)
            link = n2.link(client)
            await link.ask(make_request(), PATIENCE_S)
            assert [key for _request, key in n2.requests] == [client.public]
            link.close()
            intruder.close(linger=0)

    run(test())


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: n2\r\n\r\n",
        b"\x00" * 4096,
        b"\xff" * 4096,
        b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL" + b"\0" * 4096,
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_garbage_on_the_port_harms_nobody(garbage: bytes) -> None:
    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            n2.allowed.add(client.public)
            link = n2.link(client)
            await link.ask(make_request(), PATIENCE_S)
            with socket.create_connection(("127.0.0.1", n2.endpoint().port)) as intruder:
                intruder.sendall(garbage)
                await link.ask(make_request(), PATIENCE_S)
            await link.ask(make_request(), PATIENCE_S)
            assert {key for _request, key in n2.requests} == {client.public}
            link.close()

    run(test())


def test_port_where_something_else_listens_is_told_as_such() -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            async with peer() as n2:
                endpoint = link_module.Endpoint(
                    node="n2",
                    address="127.0.0.1",
                    port=other.getsockname()[1],
                    public_key=n2.key.public,
                )
                link = link_module.Link(n2.context, endpoint, make_key())
                connection, _address = await asyncio.to_thread(other.accept)
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 64)
                    # libzmq reports this as an end of the connection in some versions.
                    with pytest.raises((LinkRefused, LinkDown)):
                        await link.ask(make_request(), PATIENCE_S)
                link.close()

    run(test())


def test_port_that_is_taken_is_an_error_of_ours() -> None:
    async def test() -> None:
        async with peer() as n2:
            port = n2.endpoint().port
            other = link_module.Link(n2.context, n2.endpoint(), make_key())
            first = n2.listener
            with pytest.raises(PortTaken, match=str(port)):
                n2.listen(port)
            assert n2.listener is not None
            n2.die()
            n2.listener = first
            other.close()

    run(test())


def test_bytes_that_are_no_message_are_dropped_and_the_listener_goes_on() -> None:
    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            n2.allowed.add(client.public)
            raw = n2.context.socket(zmq.DEALER)
            raw.linger = 0
            raw.curve_publickey, raw.curve_secretkey = (
                client.public.encode(),
                client.secret.encode(),
            )
            raw.curve_serverkey = n2.key.public.encode()
            raw.connect(n2.endpoint().url)
            for frame in (b"", b"SSI", b"XYZ\x01", MAGIC, MAGIC + b"\xc1", MAGIC + b"\x91" * 5000):
                raw.send(frame)
            # A text that is no UTF-8 broke the reader of the socket once.
            raw.send(MAGIC + b"\x94\xa1f\xc4\x01x\xa2\xff\xff\x80")
            raw.send(codec.encode_envelope(done(make_request())))
            request = make_request()
            raw.send(codec.encode_envelope(request))
            assert await asyncio.to_thread(raw.poll, PATIENCE_S * 1000)
            assert codec.decode_envelope(raw.recv()) == done(request)
            assert len(n2.requests) == 1
            raw.close(linger=0)

    run(test())


def test_peer_of_an_older_version_is_told_with_both_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The asker is of version 2, the listener of version 1: the asker knows who is what."""
    real_encode, real_decode = codec.encode_envelope, codec.decode_envelope

    def encode_v2(envelope: Request) -> bytes:
        return b"SSI\x02" + real_encode(envelope)[4:]

    def decode_v2(frame: memoryview) -> codec.Reply | Failure | Request:
        head = bytes(frame[:4])
        if head != b"SSI\x02":
            raise VersionMismatch(ours=2, theirs=head[3])
        return real_decode(MAGIC + bytes(frame[4:]))

    monkeypatch.setattr(link_module, "encode_envelope", encode_v2)
    monkeypatch.setattr(link_module, "decode_envelope", decode_v2)

    async def test() -> None:
        client = make_key()
        async with peer() as n2:
            n2.allowed.add(client.public)
            link = n2.link(client)
            with pytest.raises(VersionMismatch) as caught:
                await link.ask(make_request(), PATIENCE_S)
            assert (caught.value.ours, caught.value.theirs, caught.value.node) == (2, 1, "n2")
            assert str(caught.value) == (
                "n2 speaks protocol version 1, this side 2; "
                "run `ssi up` for all nodes from the newest ssi"
            )
            assert n2.requests == []
            link.close()

    run(test())


def test_peer_of_a_newer_version_is_told_with_both_numbers() -> None:
    async def test() -> None:
        client, server = make_key(), make_key()
        async with peer() as n1:
            n1.allowed.add(client.public)
            newer = n1.context.socket(zmq.ROUTER)
            newer.linger = 0
            newer.curve_server = True
            newer.curve_secretkey = server.secret.encode()
            newer.zap_domain = b"ssi"
            port = newer.bind_to_random_port("tcp://127.0.0.1")
            endpoint = link_module.Endpoint(
                node="n2", address="127.0.0.1", port=port, public_key=server.public
            )
            link = link_module.Link(n1.context, endpoint, client)
            asking = asyncio.create_task(link.ask(make_request(), PATIENCE_S))

            def answer() -> None:
                assert newer.poll(PATIENCE_S * 1000)
                routing_id, _frame = newer.recv_multipart()
                newer.send_multipart([routing_id, b"SSI\x07anything at all"])

            await asyncio.to_thread(answer)
            with pytest.raises(VersionMismatch, match="n2 speaks protocol version 7, this side 1"):
                await asking
            link.close()
            newer.close(linger=0)

    run(test())
