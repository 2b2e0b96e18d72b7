"""How fast the link under a TCP connection is, as the kernel has seen it while data was under way.

The kernel counts the time in which anything of ours was on its way and not yet acknowledged, and
how much of it the receiver's full window was to blame for. What was acknowledged within the rest is
the rate of the link, whatever else kept the two ends busy meanwhile.
Source: tcp(7), ``struct tcp_info`` of ``linux/tcp.h`` (4.10 and later).
"""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from typing import Final

_SIZE: Final = 184
_ACKED_AT: Final = 120
_BUSY_AT: Final = 168

ENOUGH_BYTES: Final = 8 * 1024 * 1024
ENOUGH_US: Final = 40_000
"""Less than both of these says little about a link: the kernel counts in ticks of up to 10 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a connection has carried since it began.

    Attributes:
        acked_bytes: Sent and acknowledged.
        busy_us: In which something was on its way, and the receiver had room for more.
    """

    acked_bytes: int = 0
    busy_us: int = 0

    def rate_since(self, before: Tally) -> float | None:
        """Bytes per second between two tallies; None where too little went over to tell."""
        acked_bytes = self.acked_bytes - before.acked_bytes
        busy_us = self.busy_us - before.busy_us
        if acked_bytes < ENOUGH_BYTES and busy_us < ENOUGH_US:
            return None
        return acked_bytes / max(busy_us, 1) * 1e6


def parse_tally(info: bytes) -> Tally | None:
    """What ``TCP_INFO`` says; None from a kernel that says too little."""
    if len(info) < _SIZE:
        return None
    (acked_bytes,) = struct.unpack_from("=Q", info, _ACKED_AT)
    busy_us, window_us = struct.unpack_from("=QQ", info, _BUSY_AT)
    return Tally(acked_bytes=acked_bytes, busy_us=max(0, busy_us - window_us))


def read_tally(descriptor: int) -> Tally | None:
    """What the connection behind a descriptor has carried; None where it is none any more."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            return parse_tally(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE))
    except OSError:
        return None
