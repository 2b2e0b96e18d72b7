"""What joins jobs to each other: the output of one becomes the stdin of another, node to node."""

from __future__ import annotations

from typing import ClassVar

from ssi.model.job import StreamName
from ssi.protocol.message import ReplyMessage, RequestMessage


class JoinStreams(RequestMessage, frozen=True, tag="join-streams"):
    """To the node of a job that reads: its stdin comes from another job: :class:`Done`.

    From then on the agent of that node fetches the bytes, from the first one on. Harmless twice.

    Attributes:
        gpid: Of the job that reads. It has pipes and no other source.
        source: Gpid of the job that writes, of the same user. It has pipes and no other reader.
        stream: Of that job, ``stdout`` or ``stderr``.
        node: Where that job is, as far as the asker knows.
    """

    mutating: ClassVar[bool] = True
    gpid: int
    source: int
    stream: StreamName
    node: str


class TakeStream(RequestMessage, frozen=True, tag="take-stream"):
    """To the node of a job that writes: another job reads that stream: :class:`Done`.

    Everybody else may only look at it from then on. Harmless twice.

    Attributes:
        reader: Gpid of the job that reads.
        node: Where that is.
    """

    gpid: int
    stream: StreamName
    reader: int
    node: str


class OpenLane(RequestMessage, frozen=True, tag="open-lane"):
    """To the node of a job that writes: its shim awaits that of the reader: :class:`LaneOpened`.

    Attributes:
        key: Of this lane and no other: 32 random bytes.
    """

    gpid: int
    stream: StreamName
    reader: int
    key: bytes


class LaneOpened(ReplyMessage, frozen=True, tag="lane-opened"):
    """Its shim listens at that TCP port, for a moment and for one peer that knows the key."""

    port: int


class CloseStream(RequestMessage, frozen=True, tag="close-stream"):
    """To the node of a job that writes: its reader has all or wants no more: :class:`Done`.

    A job that writes on is told by SIGPIPE, or EPIPE. Harmless twice.
    """

    gpid: int
    stream: StreamName
    reader: int
