"""Frames to the client of a session's bash, on stdout.

It is sent to the node together with :mod:`shell.session.host`, so it imports nothing but the
standard library.
"""

from __future__ import annotations

import os
import selectors
import struct


def send(kind: str, body: bytes) -> None:
    """Sends a frame to the client."""
    write_all(1, kind.encode() + struct.pack("!I", len(body)) + body)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of it; waits where there is no room."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            waiting = selectors.DefaultSelector()
            waiting.register(descriptor, selectors.EVENT_WRITE)
            waiting.select()
            waiting.close()
