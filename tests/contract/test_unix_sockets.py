"""What the kernel says of Unix sockets."""

import os
import socket
from pathlib import Path

from nodeagent.mechanism.unixsockets import read_unix_sockets


def test_both_ends_of_a_pair_name_each_other() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        found = read_unix_sockets()
        assert found[inode_of(ours)].peer == inode_of(theirs)
        assert found[inode_of(theirs)].peer == inode_of(ours)


def test_accepted_end_has_the_name_that_the_server_listens_at(tmp_path: Path) -> None:
    path = tmp_path / "served"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(path))
        server.listen()
        client.connect(str(path))
        accepted, _ = server.accept()
        with accepted:
            found = read_unix_sockets()
            assert found[found[inode_of(client)].peer].name == str(path)
            assert found[inode_of(server)].peer == 0


def test_abstract_name_begins_with_an_at_sign() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0ssi-test-{os.getpid()}")
        assert read_unix_sockets()[inode_of(server)].name == f"@ssi-test-{os.getpid()}"


def inode_of(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino
