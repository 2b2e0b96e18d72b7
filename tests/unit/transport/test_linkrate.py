"""The rate of a link, from what the kernel counted."""

from __future__ import annotations

import os
import socket
import struct

from ssi.transport.linkrate import Tally, parse_tally, read_tally


def test_time_in_which_the_receiver_had_no_room_is_not_the_links() -> None:
    info = bytearray(184)
    struct.pack_into("=Q", info, 120, 20_000_000)
    struct.pack_into("=QQ", info, 168, 300_000, 100_000)
    assert parse_tally(bytes(info)) == Tally(acked_bytes=20_000_000, busy_us=200_000)


def test_an_older_kernel_tells_nothing() -> None:
    assert parse_tally(bytes(104)) is None


def test_the_rate_is_what_was_acknowledged_while_something_was_under_way() -> None:
    before = Tally(acked_bytes=1_000_000, busy_us=10_000)
    after = Tally(acked_bytes=11_000_000, busy_us=110_000)
    assert after.rate_since(before) == 100e6


def test_a_few_bytes_within_a_tick_tell_nothing() -> None:
    assert Tally(acked_bytes=1_000_000, busy_us=4_000).rate_since(Tally()) is None


def test_a_slow_link_is_known_after_a_moment() -> None:
    assert Tally(acked_bytes=50_000, busy_us=50_000).rate_since(Tally()) == 1e6


def test_a_connection_of_this_machine_is_read() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        peer, _address = server.accept()
        with peer:
            client.sendall(b"x" * 1000)
            assert len(peer.recv(1000, socket.MSG_WAITALL)) == 1000
            tally = read_tally(client.fileno())
    assert tally is not None
    assert tally.acked_bytes >= 1000


def test_what_is_no_connection_has_no_tally() -> None:
    reader, writer = os.pipe()
    try:
        assert read_tally(reader) is None
    finally:
        os.close(reader)
        os.close(writer)
