"""What may have happened to one pipe, as :mod:`nodeagent.pipes.pull` is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Lane: TypeAlias = Literal["source", "reader"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The reader's shim has all bytes below ``offset``.

    Attributes:
        closed: The job reads no more.
        ended: The shim also knows that nothing follows.
    """

    offset: int
    closed: bool = False
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Bytes from ``offset`` on have come; ``ended``: nothing follows them."""

    offset: int
    data: bytes
    ended: bool = False


@dataclass(frozen=True, slots=True)
class SourceSilent:
    """The node of the job that writes did not answer, or cannot now."""


@dataclass(frozen=True, slots=True)
class SourceMoved:
    """The job that writes is, or is said to be, on another node."""

    node: str


@dataclass(frozen=True, slots=True)
class SourceUnknown:
    """The node that was asked has no such job."""


@dataclass(frozen=True, slots=True)
class SourceSought:
    """All nodes were asked for the job that writes, and none has it.

    Attributes:
        certain: Every one of them answered.
    """

    certain: bool


@dataclass(frozen=True, slots=True)
class SourceLost:
    """Bytes of the job that writes are gone for ever."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReaderSilent:
    """The reader's shim did not answer, or the job is being moved."""


@dataclass(frozen=True, slots=True)
class ReaderEnded:
    """The job that reads has ended."""


@dataclass(frozen=True, slots=True)
class LaneOver:
    """A lane has ended, or was none; the reader's shim knows what it carried."""


@dataclass(frozen=True, slots=True)
class Told:
    """The job that writes has been told that nobody reads any more, or is no more."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The job that reads is hung up."""


@dataclass(frozen=True, slots=True)
class Woke:
    """A pause is over."""

    lane: Lane


Event: TypeAlias = (
    Taken
    | Arrived
    | SourceSilent
    | SourceMoved
    | SourceUnknown
    | SourceSought
    | SourceLost
    | ReaderSilent
    | ReaderEnded
    | LaneOver
    | Told
    | Broken
    | Woke
)
