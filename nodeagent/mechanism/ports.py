"""Ports that are free now."""

from __future__ import annotations

import socket


def free_port(address: str, wanted: int) -> int:
    """The wanted port, or a free one where none is wanted.

    Args:
        address: Where something is to listen on it; ``*`` for everywhere.
        wanted: 0 is none.
    """
    if wanted:
        return wanted
    family = socket.AF_INET6 if address == "*" or ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(("::" if address == "*" else address, 0))
        port: int = probe.getsockname()[1]
    return port
