"""What an agent says to a shim of a lane, which carries a pipe's bytes, and of a channel."""

from __future__ import annotations

from nodeagent.shim.message import Message
from ssi.model.job import StreamName


class OpenLane(Message, frozen=True, tag="open-lane"):
    """Listens for the shim of a job that reads that stream: :class:`LaneOpened`.

    Attributes:
        key: Of this lane and no other, 32 bytes.
    """

    stream: StreamName
    key: bytes


class LaneOpened(Message, frozen=True, tag="lane-opened"):
    """It listens at that TCP port, for a moment and for one peer."""

    port: int


class JoinLane(Message, frozen=True, tag="join-lane"):
    """Connects to the shim of the job that writes the input, and takes that: :class:`Ok`.

    A Write with ``from_job`` ends it, as a Read with ``taken`` does at the other end.

    Attributes:
        writer: As which the bytes are numbered.
    """

    writer: bytes
    address: str
    port: int
    key: bytes


class AwaitLane(Message, frozen=True, tag="await-lane"):
    """Whether the lane of the input is over: :class:`LaneState`, after at most ``wait_ms``."""

    wait_ms: int


class LaneState(Message, frozen=True, tag="lane-state"):
    """``over``: it carries nothing any more."""

    over: bool


class OpenChannel(Message, frozen=True, tag="open-channel"):
    """Listens for a client of the job (:mod:`ssi.protocol.channel`): :class:`LaneOpened`.

    Only to a shim that says that it :attr:`~nodeagent.shim.messages.Status.has_channels`: an older
    one would hang up.
    """

    writer: bytes
    key: bytes
    peek: bool = False
