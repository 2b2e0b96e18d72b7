"""What :mod:`nodeagent.pipes.pull` wants done for one pipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from nodeagent.pipes.event import Lane


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks the reader's shim how far it is: :class:`Taken` or :class:`ReaderSilent`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Asks for bytes: :class:`Arrived`, or what went wrong.

    Attributes:
        taken: The reader's shim has all before that.
        waits: Until there are some; else what there is now, perhaps nothing.
    """

    node: str
    offset: int
    taken: int
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Give:
    """Gives bytes to the reader's shim: :class:`Taken` or :class:`ReaderSilent`."""

    offset: int
    data: bytes
    end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UseLane:
    """Lets the shims pass the bytes on by themselves: :class:`LaneOver`, or what went wrong."""

    node: str


@dataclass(frozen=True, slots=True)
class Seek:
    """Asks all nodes for the job that writes: :class:`SourceMoved` or :class:`SourceSought`."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Tells the job that writes that nobody reads any more: :class:`Told` or what went wrong.

    It takes the place of a fetch that is under way.
    """

    node: str


@dataclass(frozen=True, slots=True)
class Break:
    """Hangs up the job that reads, as it will not get all that was written: :class:`Broken`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Lets a lane rest: :class:`Woke`."""

    lane: Lane
    pause_s: float


@dataclass(frozen=True, slots=True)
class Settle:
    """Notes that nothing is left to be done. The last of all."""


Instruction: TypeAlias = Probe | Fetch | Give | UseLane | Seek | Tell | Break | Pause | Settle
