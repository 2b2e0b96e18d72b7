"""What the kernel tells of a link."""

from __future__ import annotations

import os
import socket
import struct

import pytest

from ssi.transport.linkrate import LinkReading, parse_reading, read_link


def test_the_rate_of_delivery_is_read() -> None:
    info = bytearray(168)
    struct.pack_into("=Q", info, 120, 20_000_000)
    struct.pack_into("=Q", info, 160, 119_000_000)
    expected = LinkReading(acked_bytes=20_000_000, rate=119e6, starved=False)
    assert parse_reading(bytes(info)) == expected


def test_a_connection_that_had_too_little_to_send_says_so() -> None:
    info = bytearray(168)
    info[7] = 1
    reading = parse_reading(bytes(info))
    assert reading is not None
    assert reading.starved


@pytest.mark.parametrize(("held_us", "starved"), [(0, False), (100_000, False), (300_000, True)])
def test_a_receiver_that_takes_nothing_is_not_taken_for_a_slow_link(
    held_us: int, starved: bool
) -> None:
    info = bytearray(184)
    struct.pack_into("=QQ", info, 168, 1_000_000, held_us)
    reading = parse_reading(bytes(info))
    assert reading is not None
    assert reading.starved is starved


def test_an_older_kernel_tells_nothing() -> None:
    assert parse_reading(bytes(104)) is None


def test_a_connection_of_this_machine_is_read() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        peer, _address = server.accept()
        with peer:
            client.sendall(b"x" * 1000)
            assert len(peer.recv(1000, socket.MSG_WAITALL)) == 1000
            reading = read_link(client.fileno())
    assert reading is not None
    assert reading.acked_bytes >= 1000


def test_what_is_no_connection_has_no_rate() -> None:
    reader, writer = os.pipe()
    try:
        assert read_link(reader) is None
    finally:
        os.close(reader)
        os.close(writer)
