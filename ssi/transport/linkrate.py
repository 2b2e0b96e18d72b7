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
_LONG_SIZE: Final = 184
"""Of a kernel from 4.10 on, which also tells for how long the receiver took nothing more."""

_FLAGS_AT: Final = 7
_ACKED_AT: Final = 120
_RATE_AT: Final = 160
_BUSY_AT: Final = 168
_HELD_AT: Final = 176
_HELD_SHARE: Final = 0.2
"""A receiver that had no room for so much of the time is slower than the link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReading:
    """What a connection tells at one moment.

    Attributes:
        acked_bytes: Sent and acknowledged since it began.
        rate: Of delivery of late, in bytes per second.
        starved: We gave it too little to send, or the receiver did not take it, so the link may be
            faster than that.
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
    starved = bool(info[_FLAGS_AT] & 1) or _is_held(info)
    return LinkReading(acked_bytes=acked_bytes, rate=rate, starved=starved)


def _is_held(info: bytes) -> bool:
    if len(info) < _LONG_SIZE:
        return False
    (busy_us,) = struct.unpack_from("=Q", info, _BUSY_AT)
    (held_us,) = struct.unpack_from("=Q", info, _HELD_AT)
    return bool(held_us > busy_us * _HELD_SHARE)


def read_link(descriptor: int) -> LinkReading | None:
    """What the connection behind a descriptor tells; None where it is none any more."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            return parse_reading(
                connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LONG_SIZE)
            )
    except OSError:
        return None
