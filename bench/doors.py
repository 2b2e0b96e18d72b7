"""Questions at the doors of agents, by their sockets' paths, without a command in between."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TypeVar

from ssi.deploy import door
from ssi.protocol.message import ReplyMessage, RequestMessage

TIMEOUT_S = 20.0

ReplyT = TypeVar("ReplyT", bound=ReplyMessage)


class Door:
    """One connection to an agent."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT_S)
        self._socket.connect(str(path))
        self._stream = self._socket.makefile("rwb")

    def ask(self, body: RequestMessage, kind: type[ReplyT]) -> ReplyT:
        frame = door.question(body)
        self._stream.write(len(frame).to_bytes(4, "big") + frame)
        self._stream.flush()
        length = int.from_bytes(self._stream.read(4), "big")
        return door.answer(self._stream.read(length), kind)

    def close(self) -> None:
        self._stream.close()
        self._socket.close()
