"""Internet sockets as /proc lists them."""

from __future__ import annotations

import os
import socket

from nodeagent.mechanism.connections import parse_connections, read_connections, why_unavailable

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0
   1: 0100007F:B9E4 0100007F:0016 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0
   2: 00000000:0000 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 13 1 0
"""
TCP6 = """\
  sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
   0: {local}:0050 {remote}:0000 0A 0:0 0:0 0 0 0 7
""".format(local="00000000000000000000000001000000", remote="0" * 32)


def test_listening_connected_and_idle_sockets_are_told_apart() -> None:
    found = parse_connections("tcp", TCP)
    assert [(inode, c.listening, c.connected) for inode, c in found.items()] == [
        (11, True, False),
        (12, False, True),
        (13, False, False),
    ]
    assert found[12].local == ("127.0.0.1", 47588)
    assert found[12].remote == ("127.0.0.1", 22)


def test_addresses_of_version_6_are_read() -> None:
    assert parse_connections("tcp6", TCP6)[7].local == ("::1", 80)


def test_a_socket_of_this_process_is_found_and_its_port_is_taken() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        found = read_connections(os.getpid())[os.fstat(listener.fileno()).st_ino]
        assert (found.local, found.listening) == (("127.0.0.1", port), True)
        assert why_unavailable("tcp", "127.0.0.1", port) == "Address already in use"
    assert why_unavailable("tcp", "127.0.0.1", port) == ""


def test_an_address_of_another_machine_is_not_available() -> None:
    assert why_unavailable("tcp", "192.0.2.1", 80) != ""
