"""Who is connected to whom through Unix sockets; only the kernel's sock_diag tells.

Source: sock_diag(7), netlink(7), unix(7).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_ENDS: Final = frozenset({2, 3})  # NLMSG_ERROR, NLMSG_DONE
_REQUEST_DUMP: Final = 0x301
_SHOW_NAME_AND_PEER: Final = 1 | 4
_NAME: Final = 0
_PEER: Final = 2
_ANY_STATE: Final = 0xFFFFFFFF

_HEAD: Final = struct.Struct("=IHHII")
_QUERY: Final = struct.Struct("=BBHIIIQ")
_ANSWER: Final = struct.Struct("=BBBBIQ")
_ATTRIBUTE: Final = struct.Struct("=HH")

_TIMEOUT_S: Final = 5.0
_PART_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixSocket:
    """A Unix socket.

    Attributes:
        name: Its path, with ``@`` in front in the abstract namespace; empty where it has none.
        peer: Inode of the other end; 0 where there is none.
    """

    name: str = ""
    peer: int = 0


def read_unix_sockets() -> dict[int, UnixSocket]:
    """Those of the caller's network namespace, which jobs share, by their inodes.

    Raises:
        OSError: The kernel does not tell.
    """
    query = _QUERY.pack(socket.AF_UNIX, 0, 0, _ANY_STATE, 0, _SHOW_NAME_AND_PEER, 0)
    head = _HEAD.pack(_HEAD.size + len(query), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0)
    found: dict[int, UnixSocket] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as netlink:
        netlink.settimeout(_TIMEOUT_S)
        netlink.send(head + query)
        while True:
            part = netlink.recv(_PART_BYTES)
            found |= parse_unix_sockets(part)
            if any(kind in _ENDS for kind, _ in _messages(part)):
                return found


def parse_unix_sockets(messages: bytes) -> dict[int, UnixSocket]:
    """The sockets in a part of an answer, by their inodes."""
    found = {}
    for kind, body in _messages(messages):
        if kind != _SOCK_DIAG_BY_FAMILY:
            continue
        inode = _ANSWER.unpack_from(body)[4]
        attributes = dict(_attributes(body[_ANSWER.size :]))
        name = attributes.get(_NAME, b"").decode(errors="replace")
        found[inode] = UnixSocket(
            name=f"@{name[1:]}" if name.startswith("\0") else name.rstrip("\0"),
            peer=int.from_bytes(attributes.get(_PEER, b"")[:4], "little"),
        )
    return found


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _HEAD.size <= len(data):
        length, kind = _HEAD.unpack_from(data, at)[:2]
        yield kind, data[at + _HEAD.size : at + length]
        at += max(_HEAD.size, length + 3 & ~3)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        yield kind, data[at + _ATTRIBUTE.size : at + length]
        at += max(_ATTRIBUTE.size, length + 3 & ~3)
