"""How fast the link under a TCP connection is, as the kernel has seen it.

The kernel measures with each acknowledgement at what rate data was delivered, and tells whether we
gave it enough to do. So a busy processor is not taken for a slow link: what trickles in is marked,
and between two pauses the link still shows its speed.
Source: tcp(7), ``struct tcp_info`` of ``linux/tcp.h`` (4.9 and later), ``net/ipv4/tcp_rate.c``.
"""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from typing import Final

_SIZE: Final = 168
_FLAGS_AT: Final = 7
_ACKED_AT: Final = 120
_RATE_AT: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReading:
    """What a connection tells at one moment.

    Attributes:
        acked_bytes: Sent and acknowledged since it began.
        rate: Of delivery of late, in bytes per second.
        starved: We gave it too little to send, so the link may be faster than that.
    """

    acked_bytes: int
    rate: float
    starved: bool


def parse_reading(info: bytes) -> LinkReading | None:
    """What ``TCP_INFO`` says; None from a kernel that says too little."""
    if len(info) < _SIZE:
        return None
    (acked_bytes,) = struct.unpack_from("=Q", info, _ACKED_AT)
    (rate,) = struct.unpack_from("=Q", info, _RATE_AT)
    return LinkReading(acked_bytes=acked_bytes, rate=rate, starved=bool(info[_FLAGS_AT] & 1))


def read_link(descriptor: int) -> LinkReading | None:
    """What the connection behind a descriptor tells; None where it is none any more."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            return parse_reading(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE))
    except OSError:
        return None
