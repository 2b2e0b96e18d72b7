"""A channel: a client's keys straight to the shim of its job, and its output straight back.

It only speeds up what the agents do by themselves, and may end at any moment: numbers are those of
the streams, and of the writer, so whoever goes on by requests knows where
(``docs/adr/0028-keys-go-straight-to-the-shim.md``). Each frame also says how much of what the other
side sent was taken. What the frames carry is told here; how they are sealed, in
:mod:`nodeagent.mechanism.sealedpeer`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from ssi.protocol.message import RequestMessage

CLIENT_TO_SHIM: Final = 3
SHIM_TO_CLIENT: Final = 4
"""Directions, for the numbering of what is sealed; a lane has two others."""

MOST_INPUT_BYTES: Final = 128 * 1024
"""In one frame of a client, which has one on its way at most."""

_TO_SHIM: Final = struct.Struct("!QQHH")
_TO_CLIENT: Final = struct.Struct("!QQ")


class OpenChannel(RequestMessage, frozen=True, tag="open-channel"):
    """To the node of a job: its shim awaits its client: :class:`LaneOpened`.

    The reply is that of :mod:`ssi.protocol.pipes`. The channel carries input of any job and its
    stdout, which is all that a terminal has.

    Attributes:
        writer: As which the client's input is numbered.
        key: Of this channel and no other: 32 random bytes.
        peek: What is read is left for the job's own client, and nothing is written.
    """

    gpid: int
    writer: bytes
    key: bytes
    peek: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToShim:
    """What a client says.

    Attributes:
        wanted: All output before that has arrived. The first frame says so from where on it comes.
        offset: The number of the first byte of ``data``.
        rows: Of the client's window; 0: as it is.
        columns: Likewise.
        data: Input.
    """

    wanted: int
    offset: int = 0
    rows: int = 0
    columns: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToClient:
    """What a shim says.

    Attributes:
        taken: All input before that was taken.
        offset: The number of the first byte of ``data``.
        data: Output.
    """

    taken: int
    offset: int
    data: bytes = b""


def pack_to_shim(said: ToShim) -> bytes:
    """As it goes into a frame."""
    return _TO_SHIM.pack(said.wanted, said.offset, said.rows, said.columns) + said.data


def pack_to_client(said: ToClient) -> bytes:
    """As it goes into a frame."""
    return _TO_CLIENT.pack(said.taken, said.offset) + said.data


def unpack_to_shim(frame: memoryview) -> ToShim | None:
    """What a frame carries; None where it is none of a client."""
    if len(frame) < _TO_SHIM.size:
        return None
    wanted, offset, rows, columns = _TO_SHIM.unpack_from(frame)
    data = bytes(frame[_TO_SHIM.size :])
    return ToShim(wanted=wanted, offset=offset, rows=rows, columns=columns, data=data)


def unpack_to_client(frame: memoryview) -> ToClient | None:
    """What a frame carries; None where it is none of a shim."""
    if len(frame) < _TO_CLIENT.size:
        return None
    taken, offset = _TO_CLIENT.unpack_from(frame)
    return ToClient(taken=taken, offset=offset, data=bytes(frame[_TO_CLIENT.size :]))
