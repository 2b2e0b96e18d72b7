"""Internet sockets of a process, as its network namespace lists them.

Source: proc_pid_net(5), ``tcp`` and ``udp``; states are those of the kernel's ``tcp_states.h``.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_KINDS: Final = ("tcp", "tcp6", "udp", "udp6")
_TCP_UNCONNECTED: Final = "07"
_TCP_LISTEN: Final = "0A"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One socket with an address.

    Attributes:
        kind: ``tcp``, ``tcp6``, ``udp`` or ``udp6``.
        local: Its own address and port.
        remote: Those of its peer; port 0 where it has none.
        listening: It waits for connections.
        connected: It has a peer, or had one a moment ago, whose end would stay behind.
    """

    kind: str
    local: tuple[str, int]
    remote: tuple[str, int]
    listening: bool
    connected: bool


def read_connections(pid: int) -> dict[int, Connection]:
    """The sockets of the network namespace of a process, by their inodes; none once it is gone."""
    found: dict[int, Connection] = {}
    for kind in _KINDS:
        with suppress(OSError):  # it has ended, or the kernel has no such protocol
            text = Path(f"/proc/{pid}/net/{kind}").read_text(encoding="ascii")
            found |= parse_connections(kind, text)
    return found


def parse_connections(kind: str, text: str) -> dict[int, Connection]:
    """The sockets of one list, by their inodes."""
    found = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10:
            continue
        state, inode = fields[3], int(fields[9])
        is_tcp = kind.startswith("tcp")
        found[inode] = Connection(
            kind=kind,
            local=_address(fields[1]),
            remote=_address(fields[2]),
            listening=is_tcp and state == _TCP_LISTEN,
            connected=is_tcp and state not in {_TCP_LISTEN, _TCP_UNCONNECTED},
        )
    return found


def why_unavailable(kind: str, address: str, port: int) -> str:
    """Why nothing can listen there on this machine; empty where it can.

    A socket is bound for a moment and never listens, so nobody can notice.
    """
    family = socket.AF_INET6 if kind.endswith("6") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address, port))
        except OSError as exc:
            return exc.strerror or str(exc)
    return ""


def _address(text: str) -> tuple[str, int]:
    """``0100007F:0016`` is 127.0.0.1, port 22: words of 32 bits as this machine orders them."""
    digits, _, port = text.partition(":")
    raw = bytes.fromhex(digits)
    words = [raw[index : index + 4][::-1] for index in range(0, len(raw), 4)]
    family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(words)), int(port, 16)
